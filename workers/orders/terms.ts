import type { Sql } from '../../db/client.ts'
import type { RefusalOf } from '../../queues/command.ts'
import type { place as placeCommand } from '../../queues/orders.ts'
import { type Job, type Rejected, rejected } from '../../queues/outcome.ts'
import { isSameOffer, type Offer, type Priced, place } from './domain.ts'
import type { FindExtras } from './extras.ts'
import { honour, type Quote, rateOf, redeem } from './quote.ts'
import type { QuoteTokens } from './quote-token.ts'
import { createReadQuote } from './quotes.ts'
import type { ReadOffers } from './store.ts'

type Refused = Rejected<RefusalOf<typeof placeCommand>>
type Judge = (offers: readonly Offer[]) => Priced | Refused

/** On what an order is to be placed: prices of this moment, or those of a quote. */
export interface Terms extends Priced {
  readonly quote: Quote | null
  /** Judges again, by what was reserved. */
  readonly judge: Judge
}

/** An earlier run has placed it. */
interface Placed {
  readonly kind: 'placed'
}

/** The terms as they stand now; nothing is reserved yet, so they are judged again when it is. */
export type ReadTerms = (
  job: Job<typeof placeCommand>,
  order: { readonly orderId: string; readonly customerId: string },
) => Promise<Terms | Placed | Refused>

export function createReadTerms(
  sql: Sql,
  tokens: QuoteTokens,
  readOffers: ReadOffers,
  findExtras: FindExtras,
): ReadTerms {
  const readQuote = createReadQuote(sql)
  return async ({ input, acceptedAt }, { orderId, customerId }) => {
    // A quote, a code or a rate is good if it was when the order was asked for, however late the order is worked on.
    const asker = { customerId, askedAt: acceptedAt }
    if (input.quote === undefined) {
      const reading = readOffers({ orderId, lines: input.lines })
      const extras = await findExtras(input, asker)
      return termsBy(offers => place(offers, extras), await reading, null)
    }
    const fields = (['discountCode', 'shippingRateId'] as const).filter(name => input[name] !== undefined)
    if (fields.length > 0) return rejected('terms_in_quote', { fields })
    const signed = tokens.read(input.quote)
    const found = signed && (await readQuote(signed.id))
    const redeemed = redeem(signed, found, { orderId, ...asker })
    if (redeemed.kind === 'rejected') return redeemed
    const { quote } = redeemed
    if (quote.orderId !== null) return { kind: 'placed' }
    const reading = readOffers({ orderId, lines: quote.lines })
    const rate = rateOf(quote)
    const extras = { ...(await findExtras(quote, asker)), rate: rate && { found: rate } }
    return termsBy(offers => honour(quote, offers, extras), await reading, quote)
  }
}

function termsBy(judge: Judge, offers: readonly Offer[], quote: Quote | null): Terms | Refused {
  const priced = judge(offers)
  if (priced.kind === 'rejected') return priced
  // What is reserved is nearly always what was offered, and that is judged already.
  return { ...priced, quote, judge: reserved => (isSameOffer(offers, reserved) ? priced : judge(reserved)) }
}
