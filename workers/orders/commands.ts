import type { Sql } from '../../db/client.ts'
import {
  cancelled,
  expired,
  expireOverdue as expireOverdueCommand,
  markQuotesStale,
  type orders,
  paid,
  paymentFailed,
  placed,
} from '../../queues/orders.ts'
import { done, emit, follow, type Handlers, rejected, type Tx } from '../../queues/outcome.ts'
import { charge } from '../../queues/payments.ts'
import { caseHandlers } from './case-commands.ts'
import { type Lifecycle, lifecycleDefaults } from './config.ts'
import { discountHandlers } from './discount-commands.ts'
import { cancellable, expiryOf, extendedExpiryOf, isSamePrice, type Price, price, receive } from './domain.ts'
import { createFindExtras } from './extras.ts'
import { fulfilmentHandlers, lookAheadMs } from './fulfilment-commands.ts'
import { customerOf, giveBack, mustLoad, noteOf, refuseMove, refuseMoveTo, told } from './handling.ts'
import { moneyHandlers, takeCapture } from './money-commands.ts'
import * as moves from './moves.ts'
import { quoteExpiryOf } from './quote.ts'
import { priceVersionOf, type QuoteTokens } from './quote-token.ts'
import * as quotes from './quotes.ts'
import { returnHandlers } from './return-commands.ts'
import * as store from './store.ts'
import { createReadTerms, type Terms } from './terms.ts'
import { expiriesIn } from './timers.ts'

/** Orders that one run of the clock expires; the rest follow at once. */
const expireBatchMax = 100
/** Lines of quotes that one run marks stale; the rest follow at once. */
const staleBatchMax = 500

export const handlers = (
  sql: Sql,
  tokens: QuoteTokens,
  lifecycle: Lifecycle = lifecycleDefaults,
): Handlers<typeof orders> => {
  const readOffers = store.createReadOffers(sql)
  const findExtras = createFindExtras(sql)
  const readTerms = createReadTerms(sql, tokens, readOffers, findExtras)
  return {
    ...moneyHandlers(),
    ...fulfilmentHandlers(),
    ...returnHandlers({ withinMs: lifecycle.returnWithinMs }),
    ...caseHandlers({ newId: lifecycle.newId }),
    ...discountHandlers,

    'orders.quote': async job => {
      const customerId = customerOf(job)
      const reading = readOffers({ orderId: job.id, lines: job.input.lines })
      const extras = await findExtras(job.input, { customerId, askedAt: job.acceptedAt })
      const offers = await reading
      const priced = price(offers, extras)
      if (priced.kind === 'rejected') return priced
      const inStock = new Set(offers.filter(each => each.enough).map(each => each.sku))
      return async tx => {
        const kept = await quotes.insertQuote(tx, {
          ...priced,
          id: job.id,
          customerId,
          discountCode: priced.discount?.code ?? null,
          priceVersion: priceVersionOf(priced.lines, priced.currency),
          quotedAt: job.now,
          expiresAt: quoteExpiryOf(job.now, extras.rate?.found ?? null),
        })
        const { id: quoteId, lines, expiresAt, ...quote } = kept
        return done({
          quoteId,
          lines: lines.map(line => ({ ...line, inStock: inStock.has(line.sku) })),
          storeId: quote.storeId,
          goodsMinor: quote.goodsMinor,
          discountMinor: quote.discountMinor,
          shippingMinor: quote.shippingMinor,
          taxMinor: quote.taxMinor,
          totalMinor: quote.totalMinor,
          currency: quote.currency,
          pricesIncludeTax: quote.pricesIncludeTax,
          discountCode: quote.discountCode,
          taxes: [...quote.taxes],
          shipping: quote.shipping,
          priceVersion: quote.priceVersion,
          expiresAt: expiresAt.toISOString(),
          token: tokens.sign(kept),
        })
      }
    },

    'orders.place': async job => {
      const { paymentMethod } = job.input
      const orderId = job.id
      const customerId = customerOf(job)
      const terms = await readTerms(job, { orderId, customerId })
      if (terms.kind === 'rejected') return terms
      if (terms.kind === 'placed') return tx => tellUnsaved(tx, orderId, null)
      const { totalMinor, currency } = terms
      return async tx => {
        const reserved = await store.insertOrder(tx, {
          ...terms,
          orderId,
          customerId,
          expiresAt: expiryOf(job.now),
          note: noteOf(job, 'orders.place'),
          quoteId: terms.quote?.id ?? null,
        })
        if (reserved.length === 0) return tellUnsaved(tx, orderId, terms)
        const verdict = terms.judge(reserved)
        if (verdict.kind === 'rejected') return verdict
        refuseOtherTerms(terms, verdict)
        return done(
          { orderId, state: 'pending_payment' as const, totalMinor, currency },
          {
            follow: [
              follow(charge, {
                orderId,
                attempt: 1,
                customerId,
                amountMinor: totalMinor,
                currency,
                paymentMethod,
                ...howToCharge(terms),
              }),
            ],
            emit: [emit(placed, { orderId, customerId, totalMinor, currency })],
          },
        )
      }
    },

    'orders.pay': async job => async tx => {
      const { orderId, paymentMethod } = job.input
      const step = { orderId, ownerId: customerOf(job), note: noteOf(job, 'orders.pay') }
      const order = await moves.markPendingPayment(tx, { ...step, expiresAt: expiryOf(job.now) })
      if (order === null) return refuseMoveTo(tx, job, step, 'pending_payment')
      const { customerId, totalMinor: amountMinor, currency, charges: attempt } = order
      const how = howToCharge(await store.loadChargeTerms(tx, orderId))
      const asked = { orderId, attempt, customerId, amountMinor, currency, paymentMethod, ...how }
      return done({ orderId, state: order.state }, { follow: [follow(charge, asked)] })
    },

    'orders.cancel': async job => async tx => {
      const { orderId } = job.input
      const step = { orderId, ownerId: customerOf(job), note: noteOf(job, 'orders.cancel') }
      const order = await moves.markCancelled(tx, step)
      if (order === null) return refuseMove(tx, job, step, cancellable)
      return done(
        { orderId, state: order.state },
        {
          follow: giveBack(job, order, job.input.reason || 'order cancelled'),
          emit: [emit(cancelled, told(order))],
        },
      )
    },

    'orders.confirm-payment': async job => async tx => {
      const { orderId } = job.input
      const note = noteOf(job, 'orders.confirm-payment')
      const order = await moves.markPaid(tx, { orderId, note, payment: job.input })
      if (order !== null) return done({ orderId, state: order.state }, { emit: [emit(paid, told(order))] })
      const current = await mustLoad(tx, orderId)
      const what = receive(current, job.input)
      switch (what) {
        case 'known':
          return done({ orderId, state: current.state })
        case 'capture':
        case 'return':
          return takeCapture(tx, job, current, what)
        case 'pay':
          throw new Error(`order ${orderId} moved while its payment was confirmed`)
      }
    },

    'orders.fail-payment': async job => async tx => {
      const { orderId, attempt } = job.input
      const note = noteOf(job, 'orders.fail-payment')
      const order = await moves.markPaymentFailed(tx, { orderId, note, attempt })
      if (order !== null)
        return done({ orderId, state: order.state }, { emit: [emit(paymentFailed, told(order))] })
      await store.noteLateDecline(tx, orderId, attempt)
      const current = await mustLoad(tx, orderId)
      return done({ orderId, state: current.state })
    },

    'orders.expire-overdue': async job => async tx => {
      const ended = await moves.expireOverdue(tx, {
        limit: expireBatchMax,
        extendedTo: extendedExpiryOf(job.now),
        note: noteOf(job, 'orders.expire-overdue'),
      })
      const again = ended.length < expireBatchMax ? [] : [follow(expireOverdueCommand, { foreseen: true })]
      // The clock comes round every 15 seconds; for what expires before its next round there is a command at that moment.
      const span = { after: job.now, until: new Date(job.now.getTime() + lookAheadMs) }
      const moments = job.input.foreseen ? [] : await expiriesIn(tx, span)
      const foreseen = moments.map(moment =>
        follow(expireOverdueCommand, { foreseen: true }, moment.getTime() - job.now.getTime()),
      )
      return done(
        { expired: ended.length },
        {
          emit: ended.map(order => emit(expired, told(order))),
          follow: [...again, ...foreseen, ...ended.flatMap(order => giveBack(job, order, 'order expired'))],
        },
      )
    },

    'orders.mark-quotes-stale': async job => async tx => {
      const lines = await quotes.markStale(tx, {
        sku: job.input.sku,
        at: job.now,
        id: job.id,
        limit: staleBatchMax,
      })
      return done({ lines }, { follow: lines < staleBatchMax ? [] : [follow(markQuotesStale, job.input)] })
    },
  }
}

/** What a charge says besides its amount: nobody has a share of nothing. */
const howToCharge = ({ storeId, capture, split }: store.ChargeTerms) => ({
  storeId,
  ...(capture === 'manual' && { capture }),
  ...(split !== null && split.length > 0 && { split: [...split] }),
})

/** The order was saved on these terms; if a price or a tax changed since, the next attempt takes the new one. */
function refuseOtherTerms(terms: Price, reserved: Price): void {
  if (!isSamePrice(terms, reserved)) throw new Error('a price changed while the order was placed')
}

/** Nothing was saved: an earlier run has placed the order, or others have used its quote or its discount. */
async function tellUnsaved(tx: Tx, orderId: string, terms: Terms | null) {
  const order = await store.loadOrder(tx, orderId)
  if (order) {
    const { state, totalMinor, currency } = order
    return done({ orderId, state, totalMinor, currency })
  }
  const quote = terms?.quote ? await quotes.loadQuote(tx, terms.quote.id) : null
  if (quote?.orderId && quote.orderId !== orderId) return rejected('quote_used', { orderId: quote.orderId })
  if (terms?.discount) return rejected('discount_used_up')
  throw new Error(`order ${orderId} was neither saved nor there`)
}
