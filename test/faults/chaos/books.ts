import type { Stage } from './stage.ts'

/** The money of an order by the books of its provider, minor units. */
export interface Books {
  readonly takenMinor: number
  readonly backMinor: number
  /** What our books say otherwise, or still wait for. */
  readonly disagreements: readonly string[]
}

interface Row {
  readonly id: string
  readonly status: string
  readonly capturedMinor: number
  readonly refundedMinor: number
  readonly pendingMinor: number
  readonly takenMinor: number
  readonly backMinor: number
}

export async function booksOf({ orderId, shop }: Stage): Promise<Books> {
  const rows = await shop.world.sql<Row[]>`
    select p.id, p.status, p.captured_minor as "capturedMinor", p.refunded_minor as "refundedMinor",
      p.capture_pending_minor + p.refund_pending_minor as "pendingMinor",
      (select coalesce(sum(c.amount_minor), 0)::int8 from payments.sandbox_charges c
        where c.key = 'charge:' || p.id and c.decline_code is null) as "takenMinor",
      (select coalesce(sum(r.amount_minor), 0)::int8 from payments.sandbox_refunds r
        where r.charge_key = 'charge:' || p.id) as "backMinor"
    from payments.payments p where p.order_id = ${orderId}`
  return {
    takenMinor: rows.reduce((sum, each) => sum + each.takenMinor, 0),
    backMinor: rows.reduce((sum, each) => sum + each.backMinor, 0),
    disagreements: rows.filter(each => !agrees(each)).map(each => `payment ${JSON.stringify(each)}`),
  }
}

const agrees = (row: Row): boolean =>
  row.capturedMinor === row.takenMinor &&
  row.refundedMinor === row.backMinor &&
  row.pendingMinor === 0 &&
  !['processing', 'unknown'].includes(row.status)
