import type { Sql } from '../../db/client.ts'
import { type ChargeAnswer, type Provider, ProviderRefusal } from './provider.ts'

/** What the cards of the sandbox do; any other is declined as unknown. */
const cards: Readonly<Record<string, { readonly declineCode: string | null; readonly answers: boolean }>> = {
  pm_card_ok: { declineCode: null, answers: true },
  pm_card_declined: { declineCode: 'card_declined', answers: true },
  /** The money is taken, but the answer is lost on its way. */
  pm_card_timeout: { declineCode: null, answers: false },
}
const unknownCard = { declineCode: 'payment_method_unknown', answers: true } as const

/** A provider without a bank behind it. It remembers in tables of its own, in statements of its own, as a real one would. */
export const createSandbox = (sql: Sql): Provider => ({
  async charge({ key, amountMinor, currency, paymentMethod }, signal) {
    const card = cards[paymentMethod] ?? unknownCard
    const [row] = await sql<{ declineCode: string | null }[]>`
      insert into payments.sandbox_charges as known (key, amount_minor, currency, payment_method, decline_code)
      values (${key}, ${amountMinor}, ${currency}, ${paymentMethod}, ${card.declineCode})
      on conflict (key) do update set calls = known.calls + 1
        where known.amount_minor = excluded.amount_minor and known.currency = excluded.currency
          and known.payment_method = excluded.payment_method
      returning decline_code as "declineCode"`
    if (!row) throw new ProviderRefusal(`key ${key} was used for another charge`)
    return card.answers ? toAnswer(row.declineCode) : silence(signal)
  },

  async findCharge(key) {
    const [row] = await sql<{ declineCode: string | null }[]>`
      select decline_code as "declineCode" from payments.sandbox_charges where key = ${key}`
    return row ? toAnswer(row.declineCode) : null
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
})

const toAnswer = (declineCode: string | null): ChargeAnswer =>
  declineCode === null ? { kind: 'captured' } : { kind: 'declined', declineCode }

/** Never answers; ends when the caller gives up. */
const silence = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => {
    const giveUp = () => reject(signal.reason)
    if (signal.aborted) giveUp()
    else signal.addEventListener('abort', giveUp, { once: true })
  })
