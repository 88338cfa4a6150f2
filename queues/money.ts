import * as iso4217 from 'dinero.js/currencies'

const currencies: Readonly<
  Record<string, { readonly base: number | readonly number[]; readonly exponent: number }>
> = iso4217

/** True for a currency of ISO 4217 that is in use. */
export const isCurrency = (code: string): boolean => Object.hasOwn(currencies, code)

/** How many decimals the minor unit of a currency has by ISO 4217: 2 for EUR, 0 for JPY, 3 for KWD. */
export function exponentOf(code: string): number {
  const currency = currencies[code]
  if (!currency) throw new Error(`${code} is no currency of ISO 4217`)
  return currency.base === 10 ? currency.exponent : 2 // fifths of an ariary or an ouguiya are hundredths in ISO 4217
}

/**
 * Splits an amount into parts in proportion to `weights` (integers of 0 or more), exactly: the parts add up to it, and
 * each is its share rounded down or up. What rounding down leaves goes to the largest remainders, among equals to the
 * first. An amount can only be split by weights that are not all 0.
 */
export function allocate(amountMinor: number, weights: readonly number[]): number[] {
  const amount = BigInt(amountMinor)
  const total = weights.reduce((sum, weight) => sum + BigInt(weight), 0n)
  if (total === 0n) {
    if (amountMinor === 0) return weights.map(() => 0)
    throw new Error(`${amountMinor} cannot be split by weights that are all 0`)
  }
  const shares = weights.map((weight, at) => {
    const share = amount * BigInt(weight)
    return { at, minor: share / total, remainder: share % total }
  })
  const left = amount - shares.reduce((sum, { minor }) => sum + minor, 0n)
  const byRemainder = shares.toSorted(
    (one, other) =>
      Number(other.remainder > one.remainder) - Number(other.remainder < one.remainder) || one.at - other.at,
  )
  for (const share of byRemainder.slice(0, Number(left))) share.minor += 1n
  return shares.map(({ minor }) => Number(minor))
}

/** Parts per million of an amount, rounded half up: 190,000 of 1,000 minor units is 190. */
export function portionOf(amountMinor: number, ratePpm: number): number {
  const product = amountMinor * ratePpm + 500_000
  if (product <= Number.MAX_SAFE_INTEGER) return (product - (product % 1_000_000)) / 1_000_000 // exact, and fast
  return Number((BigInt(amountMinor) * BigInt(ratePpm) + 500_000n) / 1_000_000n)
}

/** The tax that an amount includes, rounded half up: at 190,000 parts per million 1,190 minor units include 190. */
export const includedIn = (grossMinor: number, ratePpm: number): number => {
  const divisor = 1_000_000n + BigInt(ratePpm)
  return Number((BigInt(grossMinor) * BigInt(ratePpm) * 2n + divisor) / (2n * divisor))
}
