import type { Sql } from '../../db/client.ts'
import { oneStatement } from '../../queues/batch.ts'
import { type ChargeAnswer, type ChargeRequest, type Provider, ProviderRefusal } from './provider.ts'

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
    async charge(request, signal) {
      const charged = await take(request)
      if (charged === null) throw new ProviderRefusal(`key ${request.key} was used for another charge`)
      return cardOf(request).answers ? toAnswer(charged) : silence(signal)
    },
    async findCharge(key) {
      const [row] = await sql<{ declineCode: string | null }[]>`
      select decline_code as "declineCode" from payments.sandbox_charges where key = ${key}`
      return row ? toAnswer(row) : null
    },

    async refund({ key, chargeKey, amountMinor }) {
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
      return { kind: 'refunded' }
    },

    async findRefund(key) {
      const rows = await sql`select from payments.sandbox_refunds where key = ${key}`
      return rows.count > 0 ? { kind: 'refunded' } : null
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

const toAnswer = ({ declineCode }: Charged): ChargeAnswer =>
  declineCode === null ? { kind: 'captured' } : { kind: 'declined', declineCode }

/** Never answers; ends when the caller gives up. */
const silence = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => {
    const giveUp = () => reject(signal.reason)
    if (signal.aborted) giveUp()
    else signal.addEventListener('abort', giveUp, { once: true })
  })
