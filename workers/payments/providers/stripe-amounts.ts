import { exponentOf, isCurrency } from '../../../queues/money.ts'

/**
 * How many decimals Stripe counts a currency in where that is not what ISO 4217 says: whole krónur and shillings are
 * sent as hundredths. (docs.stripe.com/currencies, special cases; HUF and TWD are special for payouts only.)
 */
const stripeExponents: Readonly<Record<string, number>> = { ISK: 2, UGX: 2 }

/**
 * What cannot be sent without rounding, and is not taken: Stripe wants tens of a thousandth in currencies with three
 * decimals, and has no hundredths of an ariary.
 */
const notExact = ['MGA']
const decimalsMax = 2

export const stripeTakes = (currency: string): boolean =>
  isCurrency(currency) && exponentOf(currency) <= decimalsMax && !notExact.includes(currency)

/** From minor units of ISO 4217 to what Stripe counts in. */
export const toStripe = (amountMinor: number, currency: string): number => amountMinor * factorOf(currency)

/** Back, from a currency as Stripe writes it; throws for an amount that has no minor units, which is not one of ours. */
export function fromStripe(amount: number, stripeCurrency: string): number {
  const amountMinor = amount / factorOf(stripeCurrency.toUpperCase())
  if (Number.isSafeInteger(amountMinor)) return amountMinor
  throw new Error(`Stripe says ${amount} ${stripeCurrency}, which are no minor units`)
}

function factorOf(currency: string): number {
  const exponent = exponentOf(currency)
  return 10 ** ((stripeExponents[currency] ?? exponent) - exponent)
}
