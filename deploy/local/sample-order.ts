import type { SentRequest } from '../../client/story-text.ts'
import type { StoryBody } from '../../edge/command-view.ts'
import type { Order } from '../../queues/orders.ts'
import { type Api, nullIfNotThere } from './api.ts'
import type { Mail, Mailbox } from './mailbox.ts'

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
export async function placeSampleOrder(customer: Api, mailbox: Mailbox): Promise<OrderRun> {
  const { body, sent } = await customer.post<{ id: string }>('/v1/orders', {
    body: { lines, paymentMethod: 'pm_card_ok' },
    idempotencyKey: crypto.randomUUID(),
  })
  const story = await customer.settledStory(body.id, storyMaxMs)
  const order = await customer.get<Order>(`/v1/orders/${body.id}`).catch(nullIfNotThere)
  const mail = mailbox.messages().find(({ text }) => text.includes(body.id)) ?? null
  const isDone = story.commands.every(({ state }) => state === 'succeeded')
  return { request: sent, story, order, mail, succeeded: isDone && order?.state === 'paid' && mail !== null }
}
