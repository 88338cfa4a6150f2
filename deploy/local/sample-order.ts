import type { SentRequest } from '../../client/story-text.ts'
import type { StoryBody } from '../../edge/command-view.ts'
import type { Order } from '../../queues/order-views.ts'
import type { Mail, Mailbox } from './mailbox.ts'
import { nullIfNotThere, type Session, settledStory } from './session.ts'

export interface OrderRun {
  readonly request: SentRequest
  readonly story: StoryBody
  /** Null if it was refused. */
  readonly order: Order | null
  readonly mail: Mail | null
  /** Paid, with its receipt in the mailbox and nothing left to do. */
  readonly succeeded: boolean
}

const storyMaxMs = 60_000
const lines = [
  { sku: 'MUG-BLUE', quantity: 2 },
  { sku: 'TEA-ASSAM', quantity: 1 },
]

/** Places one order and waits for all that follows from it. */
export async function placeSampleOrder({ client, sent }: Session, mailbox: Mailbox): Promise<OrderRun> {
  const { id } = await client.orders.place({ lines, paymentMethod: 'pm_card_ok' })
  const request = sent()
  const story = await settledStory(client, id, storyMaxMs)
  const order = await client.orders.get(id).catch(nullIfNotThere)
  const mail = mailbox.messages().find(({ text }) => text.includes(id)) ?? null
  const isDone = story.commands.every(({ state }) => state === 'succeeded')
  return { request, story, order, mail, succeeded: isDone && order?.state === 'paid' && mail !== null }
}
