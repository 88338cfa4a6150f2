import type { Sql } from '../../db/client.ts'
import type { RefusalOf } from '../../queues/command.ts'
import type { place as placeCommand } from '../../queues/orders.ts'
import type { Job, Rejected } from '../../queues/outcome.ts'
import { honour, type Priced, place, type Quote, redeem } from './domain.ts'
import type { QuoteTokens } from './quote-token.ts'
import { createReadQuote } from './quotes.ts'
import type { ReadOffers } from './store.ts'

type Refused = Rejected<RefusalOf<typeof placeCommand>>

/** On what an order is to be placed: prices of this moment, or those of a quote. */
export interface Terms extends Priced {
  readonly quote: Quote | null
}

/** The terms as they stand now; nothing is reserved yet, so they are judged again when it is. */
export type ReadTerms = (
  job: Job<typeof placeCommand>,
  order: { readonly orderId: string; readonly customerId: string },
) => Promise<Terms | Refused>

export function createReadTerms(sql: Sql, tokens: QuoteTokens, readOffers: ReadOffers): ReadTerms {
  const readQuote = createReadQuote(sql)
  return async ({ input, acceptedAt }, { orderId, customerId }) => {
    if (input.quote === undefined) {
      const priced = place(await readOffers({ orderId, lines: input.lines }))
      return priced.kind === 'rejected' ? priced : { ...priced, quote: null }
    }
    const signed = tokens.read(input.quote)
    const found = signed && (await readQuote(signed.id))
    // A quote is good if it was when the order was asked for, however late the order is worked on.
    const redeemed = redeem(signed, found, { orderId, customerId, askedAt: acceptedAt })
    if (redeemed.kind === 'rejected') return redeemed
    const { quote } = redeemed
    if (quote.orderId !== null) return { ...quote, kind: 'priced', quote }
    const priced = honour(quote, await readOffers({ orderId, lines: quote.lines }))
    return priced.kind === 'rejected' ? priced : { ...priced, quote }
  }
}
