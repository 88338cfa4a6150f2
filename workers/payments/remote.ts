import type { Sql } from '../../db/client.ts'
import type { Command } from '../../queues/command.ts'
import type { Enqueued } from '../../queues/journal.ts'
import { record } from '../../queues/journal.ts'
import { type Effects, type Job, later } from '../../queues/outcome.ts'
import type { Reply } from '../runtime/ask.ts'
import { inquiryDelayMs, isUnresolved, voidKeyOf } from './domain.ts'
import { type ChargeView, ProviderRefusal } from './provider.ts'
import { type Desk, type Desks, deskFor } from './providers/choice.ts'
import { chargeRefOf, type PaymentRow, readState } from './state.ts'
import type { OpenPayment } from './store.ts'
import { applyView, type Given } from './view.ts'

export interface PaymentDeps {
  readonly sql: Sql
  readonly openPayment: OpenPayment
  /** Where a new payment in this currency goes. */
  readonly chosenFor: (currency: string) => Desk
  /** The provider that a payment was made at; throws if it is not configured any more. */
  readonly remoteOf: (provider: string) => Desk
  /** All providers of the settings. */
  readonly remotes: Desks
  /** Waits before a provider that did not answer is asked again. */
  readonly inquiriesMs: readonly number[]
  /** How long a buyer may take to confirm a charge at the bank. */
  readonly actionMs: number
  /** How long a payment whose end is open is left alone. */
  readonly reconcileMs: number
  readonly newId: () => string
  readonly enqueue: (commands: readonly Enqueued[]) => void
}

/** The first is preferred for new payments; every payment stays where it was made. */
export function remotesOf(remotes: Desks): Pick<PaymentDeps, 'chosenFor' | 'remoteOf' | 'remotes'> {
  const byName = new Map(remotes.map(remote => [remote.provider.name, remote]))
  return {
    remotes,
    chosenFor: currency => deskFor(remotes, currency),
    remoteOf: name => {
      const remote = byName.get(name)
      if (!remote) throw new Error(`there are payments at provider ${name}, which is not configured`)
      return remote
    },
  }
}

export const givenOf = ({ newId, reconcileMs }: PaymentDeps, job: Job): Given => ({
  newId,
  reconcileMs,
  now: job.now,
})

/** What a provider said to a call, or that it need not be called: its view says how it ended. */
export type Found<Answer> = { readonly answer: Answer } | { readonly view: ChargeView }

/**
 * Makes a call that the provider may have heard of only after it was looked up there; one that the provider refuses is
 * looked up, too, for something else may have come between. `isEnd`: with this view the call would be in vain.
 */
export function callOnce<Answer>(
  { provider, ask }: Desk,
  payment: Pick<PaymentRow, 'id' | 'reference'>,
  {
    isNew,
    isEnd,
    call,
  }: {
    readonly isNew: boolean
    readonly isEnd: (view: ChargeView) => boolean
    readonly call: (signal: AbortSignal) => Promise<Answer>
  },
  signal: AbortSignal,
): Promise<Reply<Found<Answer>>> {
  const find = (callSignal: AbortSignal) => provider.find(chargeRefOf(payment), callSignal)
  return ask(async callSignal => {
    const known = isNew ? null : await find(callSignal)
    if (known && isEnd(known)) return { view: known }
    try {
      return { answer: await call(callSignal) }
    } catch (error) {
      if (!(error instanceof ProviderRefusal)) throw error
      const view = await find(callSignal)
      if (view && isEnd(view)) return { view }
      throw error
    }
  }, signal)
}

/**
 * The payment as it is before anything is done about it: if something of it is not known, the provider is asked first,
 * and what it says is kept whatever becomes of the command.
 */
export async function resolve(
  payment: PaymentRow,
  job: Job<Command>,
  deps: PaymentDeps,
  { isGivenUp = false } = {},
): Promise<PaymentRow> {
  if (!isUnresolved(payment)) return payment
  const reply = await look(payment, { isGivenUp }, job.signal, deps)
  if (reply.kind !== 'answer' || reply.answer === null) return payment
  const view = reply.answer
  const told = await deps.sql.begin(async tx => {
    const { news } = await applyView(tx, payment.id, view, givenOf(deps, job))
    if (news.length === 0) return []
    return record(
      tx,
      { emit: news },
      { ...job, actorId: job.actor?.id ?? payment.orderId, newId: deps.newId },
    )
  })
  deps.enqueue(told)
  return (await readState(deps.sql, payment.id)) ?? payment
}

/**
 * Everything the provider knows about a payment. If the buyer is to confirm the charge and `isGivenUp`, that is not
 * possible any more afterwards.
 */
export function look(
  payment: PaymentRow,
  { isGivenUp }: { readonly isGivenUp: boolean },
  signal: AbortSignal,
  { remoteOf }: Pick<PaymentDeps, 'remoteOf'>,
): Promise<Reply<ChargeView | null>> {
  const { provider, ask } = remoteOf(payment.provider)
  const charge = chargeRefOf(payment)
  return ask(async callSignal => {
    const view = await provider.find(charge, callSignal)
    if (view?.answer.kind !== 'action_required' || !isGivenUp) return view
    await provider.void({ key: voidKeyOf(payment.id), charge }, callSignal)
    return provider.find(charge, callSignal)
  }, signal)
}

/** Nothing is known but that it was asked: noted by `mark`, and asked again by the schedule. */
export const askAgain =
  <C extends Command>(
    unanswered: number,
    because: string,
    { inquiriesMs }: Pick<PaymentDeps, 'inquiriesMs'>,
    mark: (tx: Parameters<Effects<C>>[0]) => Promise<unknown>,
  ): Effects<C> =>
  async tx => {
    await mark(tx)
    const delayMs = inquiryDelayMs(unanswered, inquiriesMs)
    // The dead letter is the case for a person to review.
    if (delayMs === null)
      throw new Error(`the payment provider left ${unanswered} calls unanswered: ${because}`)
    return later(delayMs, `the payment provider did not answer: ${because}`)
  }

export const restLater = (restMs: number) => later(restMs, 'the payment provider keeps failing')
