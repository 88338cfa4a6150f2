import type { Sql } from '../../db/client.ts'
import type { Job } from '../../queues/outcome.ts'
import { observe } from '../../queues/payments.ts'
import { startTrace } from '../../queues/trace.ts'
import type { ServiceDeps } from '../runtime/service.ts'
import { paymentOf } from './domain.ts'
import { BadSignature, type Provider, type ProviderEvent } from './provider.ts'
import type { Desk } from './providers/choice.ts'

export type EventAnswer = 'kept' | 'bad_signature' | 'no_provider'

/** A webhook of a provider: verified on the bytes that came, kept once, and then a reason to ask the provider. */
export type TakeEvent = (provider: string, raw: Uint8Array, headers: Headers) => Promise<EventAnswer>

export const createTakeEvent =
  (
    { sql, newId, now, enqueue }: Pick<ServiceDeps, 'sql' | 'newId' | 'now' | 'enqueue'>,
    providerOf: (name: string) => Provider | null,
  ): TakeEvent =>
  async (name, raw, headers) => {
    const provider = providerOf(name)
    if (provider === null) return 'no_provider'
    const event = await provider.readEvent(raw, headers, now()).catch(nullIfForged)
    if (event === null) return 'bad_signature'
    const id = newId()
    const isAsked = await keepEvent(sql, { provider: name, event, raw, receivedAt: now(), commandId: id })
    if (isAsked) enqueue([{ id, type: observe.name, delayMs: 0 }])
    return 'kept'
  }

/**
 * What a provider could not tell by webhook is kept as if it had; each is a reason to ask about its payment, once. Answers
 * how many were not known, or null if the provider did not answer.
 */
export async function collectEvents(
  { provider, ask }: Desk,
  since: Date,
  { now, signal }: Pick<Job, 'now' | 'signal'>,
  { sql, newId, enqueue }: Pick<ServiceDeps, 'sql' | 'newId' | 'enqueue'>,
): Promise<number | null> {
  const reply = await ask(callSignal => provider.missedEvents(since, callSignal), signal)
  if (reply.kind !== 'answer') return null
  let count = 0
  for (const event of reply.answer.toReversed()) {
    const raw = new TextEncoder().encode(JSON.stringify(event))
    const id = newId()
    if (!(await keepEvent(sql, { provider: provider.name, event, raw, receivedAt: now, commandId: id })))
      continue
    enqueue([{ id, type: observe.name, delayMs: 0 }])
    count++
  }
  return count
}

function nullIfForged(error: unknown): null {
  if (error instanceof BadSignature) return null
  throw error
}

interface NewEvent {
  readonly provider: string
  readonly event: ProviderEvent
  readonly raw: Uint8Array
  readonly receivedAt: Date
  readonly commandId: string
}

/** Keeps it and asks for a look at its payment, as part of the story of its order. False if it is known, or about no payment of ours. */
async function keepEvent(
  sql: Sql,
  { provider, event, raw, receivedAt, commandId }: NewEvent,
): Promise<boolean> {
  const { id, kind, chargeKey, reference, at } = event
  const rows = await sql`
    with about as (
      select p.id, p.order_id, p.customer_id from payments.payments p where p.provider = ${provider} and p.id = coalesce(
        ${paymentOf(chargeKey)}::uuid,
        (select r.payment_id from payments.charge_references r where r.provider = ${provider} and r.reference = ${reference}))
    ), kept as (
      insert into payments.provider_events
        (provider, event_id, kind, charge_key, reference, payment_id, raw, happened_at, received_at)
      values (${provider}, ${id}, ${kind}, ${chargeKey}, ${reference}, (select id from about), ${Buffer.from(raw)}, ${at},
              ${receivedAt})
      on conflict do nothing returning payment_id
    )
    select journal.write_commands(jsonb_build_array(jsonb_build_object('id', ${commandId}::text, 'type', ${observe.name}::text,
      'input', jsonb_build_object('paymentId', about.id), 'actor_id', about.customer_id,
      'correlation_id', about.order_id, 'traceparent', ${startTrace()}::text)))
    from kept join about on about.id = kept.payment_id`
  return rows.count > 0
}
