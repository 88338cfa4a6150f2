import type { Sql } from '../../db/client.ts'
import { oneStatement } from '../../queues/batch.ts'
import {
  BadSignature,
  type ChargeAnswer,
  type ChargeRequest,
  type Provider,
  ProviderRefusal,
  type RefundView,
} from './provider.ts'

/** What the cards of the sandbox do; any other is declined as unknown. */
const cards: Readonly<Record<string, { readonly declineCode: string | null; readonly answers: boolean }>> = {
  pm_card_ok: { declineCode: null, answers: true },
  pm_card_declined: { declineCode: 'card_declined', answers: true },
  /** The money is taken, but the answer is lost on its way. */
  pm_card_timeout: { declineCode: null, answers: false },
}
const unknownCard = { declineCode: 'payment_method_unknown', answers: true } as const
const cardOf = ({ paymentMethod }: ChargeRequest) => cards[paymentMethod] ?? unknownCard

/** A provider without a bank behind it. It remembers in tables of its own, in statements of its own, as a real one would. */
export function createSandbox(sql: Sql): Provider {
  const take = oneStatement((requests: readonly ChargeRequest[]) => takeCharges(sql, requests))
  return {
    name: 'sandbox',
    severalCaptures: true,
    takes: () => true,
    async charge(request, signal) {
      if (request.capture === 'manual') throw new ProviderRefusal('the sandbox takes money at once only')
      const charged = await take(request)
      if (charged === null) throw new ProviderRefusal(`key ${request.key} was used for another charge`)
      return cardOf(request).answers ? toAnswer(request.key, charged) : silence(signal)
    },
    async capture({ charge }) {
      throw new ProviderRefusal(`nothing of charge ${charge.key} is set aside`)
    },
    async void({ charge }) {
      throw new ProviderRefusal(`nothing of charge ${charge.key} is set aside`)
    },

    async refund({ key, charge, amountMinor }) {
      const chargeKey = charge.key
      const [row] = await sql`
      with charge as (
        select key, amount_minor from payments.sandbox_charges
        where key = ${chargeKey} and decline_code is null for update
      ), others as (
        select coalesce(sum(amount_minor), 0) as amount_minor from payments.sandbox_refunds
        where charge_key = ${chargeKey} and key <> ${key}
      )
      insert into payments.sandbox_refunds as known (key, charge_key, amount_minor)
      select ${key}, charge.key, ${amountMinor} from charge, others
      where others.amount_minor + ${amountMinor} <= charge.amount_minor
      on conflict (key) do update set calls = known.calls + 1
        where known.charge_key = excluded.charge_key and known.amount_minor = excluded.amount_minor
      returning key`
      if (!row)
        throw new ProviderRefusal(`charge ${chargeKey} cannot be refunded by ${amountMinor} under key ${key}`)
      return { kind: 'refunded', reference: key }
    },

    async find({ key }) {
      const [row] = await sql<(Charged & { amountMinor: number; refunds: RefundView[] })[]>`
        select decline_code as "declineCode", amount_minor as "amountMinor", (
          select coalesce(jsonb_agg(jsonb_build_object(
            'key', r.key, 'reference', r.key, 'amountMinor', r.amount_minor, 'status', 'succeeded') order by r.key), '[]')
          from payments.sandbox_refunds r where r.charge_key = c.key) as refunds
        from payments.sandbox_charges c where key = ${key}`
      if (!row) return null
      const takenMinor = row.declineCode === null ? row.amountMinor : 0
      return {
        answer: toAnswer(key, row),
        authorizedMinor: takenMinor,
        capturedMinor: takenMinor,
        captures: takenMinor > 0 ? [{ key, amountMinor: takenMinor }] : [],
        refunds: row.refunds,
        disputes: [],
      }
    },

    async readEvent() {
      throw new BadSignature('the sandbox sends no webhooks')
    },
  }
}

interface Charged {
  readonly declineCode: string | null
}

/** Null for a request whose key was used on other terms. */
async function takeCharges(
  sql: Sql,
  requests: readonly ChargeRequest[],
): Promise<readonly (Charged | null)[]> {
  const rows = await sql<(Charged & { key: string })[]>`
    insert into payments.sandbox_charges as known (key, amount_minor, currency, payment_method, decline_code)
    select key, "amountMinor", currency, "paymentMethod", "declineCode"
    from jsonb_to_recordset(${sql.json(requests.map(each => ({ ...each, ...cardOf(each) })))})
      as request(key text, "amountMinor" bigint, currency text, "paymentMethod" text, "declineCode" text)
    order by key
    on conflict (key) do update set calls = known.calls + 1
      where known.amount_minor = excluded.amount_minor and known.currency = excluded.currency
        and known.payment_method = excluded.payment_method
    returning key, decline_code as "declineCode"`
  const byKey = new Map(rows.map(row => [row.key, row]))
  return requests.map(({ key }) => byKey.get(key) ?? null)
}

const toAnswer = (reference: string, { declineCode }: Charged): ChargeAnswer =>
  declineCode === null ? { kind: 'captured', reference } : { kind: 'declined', reference, declineCode }

/** Never answers; ends when the caller gives up. */
const silence = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => {
    const giveUp = () => reject(signal.reason)
    if (signal.aborted) giveUp()
    else signal.addEventListener('abort', giveUp, { once: true })
  })
