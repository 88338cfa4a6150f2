import type { Piece } from './fulfilment.ts'

/** The pieces asked for, each SKU once, in the order of SKUs. */
export function gather(lines: readonly Piece[]): readonly Piece[] {
  const pieces = new Map<string, number>()
  for (const { sku, quantity } of lines) pieces.set(sku, (pieces.get(sku) ?? 0) + quantity)
  return [...pieces].map(([sku, quantity]) => ({ sku, quantity })).sort((a, b) => (a.sku < b.sku ? -1 : 1))
}

/** Where more is asked for than there is. */
export function shortOf(wanted: readonly Piece[], there: readonly Piece[]) {
  const left = new Map(there.map(({ sku, quantity }) => [sku, quantity]))
  return wanted
    .map(({ sku, quantity }) => ({ sku, requested: quantity, left: left.get(sku) ?? 0 }))
    .filter(line => line.requested > line.left)
}

/** A line as it was paid, and how much of it has come back before. */
export interface ReturnedLine extends Piece {
  /** What the customer paid for the whole line: less its discount, with its tax. */
  readonly paidMinor: number
  readonly ordered: number
  /** Pieces of it that came back earlier. */
  readonly before: number
}

/**
 * What goes back for these pieces: the share of each line, rounded down but for the last pieces of a line, which take
 * what is left of it. With the last pieces of the order all that is left goes back, shipping included.
 */
export function refundOf(
  lines: readonly ReturnedLine[],
  {
    isLast,
    totalMinor,
    refundedMinor,
  }: { readonly isLast: boolean; readonly totalMinor: number; readonly refundedMinor: number },
): number {
  const left = totalMinor - refundedMinor
  if (isLast) return left
  const shares = lines.map(
    ({ paidMinor, ordered, before, quantity }) =>
      shareOf(paidMinor, before + quantity, ordered) - shareOf(paidMinor, before, ordered),
  )
  return Math.min(
    left,
    shares.reduce((sum, share) => sum + share, 0),
  )
}

const shareOf = (minor: number, pieces: number, of: number): number =>
  Number((BigInt(minor) * BigInt(pieces)) / BigInt(of))
