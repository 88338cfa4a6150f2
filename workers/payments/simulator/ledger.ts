import { type Charge, refundedMinor, viewOf } from './charge.ts'

export interface Totals {
  readonly charges: number
  /** How often charges were asked for: more than `charges` if some were asked for twice. */
  readonly calls: number
  /** How many charges are in each status. */
  readonly statuses: Readonly<Record<string, number>>
  /** Minor units by currency. */
  readonly currencies: Readonly<Record<string, { capturedMinor: number; refundedMinor: number }>>
}

/** Everything that it did, so that it can be compared with the books of whoever asked for it. */
export const ledgerOf = (charges: Iterable<Charge>) => ({ charges: Array.from(charges, viewOf) })

export function totalsOf(charges: Iterable<Charge>): Totals {
  const statuses: Record<string, number> = {}
  const currencies: Record<string, { capturedMinor: number; refundedMinor: number }> = {}
  let count = 0
  let calls = 0
  for (const charge of charges) {
    count++
    calls += charge.calls
    statuses[charge.status] = (statuses[charge.status] ?? 0) + 1
    const sums = currencies[charge.currency] ?? { capturedMinor: 0, refundedMinor: 0 }
    currencies[charge.currency] = {
      capturedMinor: sums.capturedMinor + charge.capturedMinor,
      refundedMinor: sums.refundedMinor + refundedMinor(charge),
    }
  }
  return { charges: count, calls, statuses, currencies }
}
