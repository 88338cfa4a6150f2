import type { Sql } from '../../db/client.ts'
import type { Command } from '../../queues/command.ts'
import {
  cancelled,
  expired,
  expireOverdue as expireOverdueCommand,
  markQuotesStale,
  type OrderState,
  type orders,
  paid,
  paymentFailed,
  placed,
} from '../../queues/orders.ts'
import {
  done,
  emit,
  type FollowUp,
  follow,
  type Handlers,
  type Job,
  later,
  rejected,
  type Tx,
} from '../../queues/outcome.ts'
import { charge, refund } from '../../queues/payments.ts'
import {
  expiryOf,
  extendedExpiryOf,
  honour,
  type Priced,
  place,
  price,
  quoteExpiryOf,
  receive,
  sourcesOf,
} from './domain.ts'
import type { Note } from './history.ts'
import * as moves from './moves.ts'
import { priceVersionOf, type QuoteTokens } from './quote-token.ts'
import * as quotes from './quotes.ts'
import * as store from './store.ts'
import { createReadTerms } from './terms.ts'

/** Orders that one run of the clock expires; the rest follow at once. */
const expireBatchMax = 100
/** Lines of quotes that one run marks stale; the rest follow at once. */
const staleBatchMax = 500
/** How soon to look again for an order that is still to be placed. */
const lookAgainMs = (run: number): number => Math.min(50 * 2 ** run, 5_000)

export const handlers = (sql: Sql, tokens: QuoteTokens): Handlers<typeof orders> => {
  const readOffers = store.createReadOffers(sql)
  const readTerms = createReadTerms(sql, tokens, readOffers)
  return {
    'orders.quote': async job => {
      const offers = await readOffers({ orderId: job.id, lines: job.input.lines })
      const priced = price(offers)
      if (priced.kind === 'rejected') return priced
      const inStock = new Set(offers.filter(each => each.enough).map(each => each.sku))
      return async tx => {
        const quote = await quotes.insertQuote(tx, {
          ...priced,
          id: job.id,
          customerId: customerOf(job),
          priceVersion: priceVersionOf(priced.lines, priced.currency),
          quotedAt: job.now,
          expiresAt: quoteExpiryOf(job.now),
        })
        return done({
          quoteId: job.id,
          lines: quote.lines.map(line => ({ ...line, inStock: inStock.has(line.sku) })),
          totalMinor: quote.totalMinor,
          currency: quote.currency,
          priceVersion: quote.priceVersion,
          expiresAt: quote.expiresAt.toISOString(),
          token: tokens.sign(quote),
        })
      }
    },

    'orders.place': async job => {
      const { paymentMethod } = job.input
      const orderId = job.id
      const customerId = customerOf(job)
      const terms = await readTerms(job, { orderId, customerId })
      if (terms.kind === 'rejected') return terms
      const { totalMinor, currency, quote } = terms
      return async tx => {
        const reserved = await store.insertOrder(tx, {
          ...terms,
          orderId,
          customerId,
          expiresAt: expiryOf(job.now),
          note: noteOf(job, 'orders.place'),
          quoteId: quote?.id ?? null,
        })
        if (reserved.length === 0) return tellUnsaved(tx, orderId, quote?.id ?? null)
        const verdict = quote ? honour(quote, reserved) : place(reserved)
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
      if (order === null) return refuseMove(tx, job, step, 'pending_payment')
      const { customerId, totalMinor: amountMinor, currency, charges: attempt } = order
      return done(
        { orderId, state: order.state },
        { follow: [follow(charge, { orderId, attempt, customerId, amountMinor, currency, paymentMethod })] },
      )
    },

    'orders.cancel': async job => async tx => {
      const { orderId } = job.input
      const step = { orderId, ownerId: customerOf(job), note: noteOf(job, 'orders.cancel') }
      const order = await moves.markCancelled(tx, step)
      if (order === null) return refuseMove(tx, job, step, 'cancelled')
      return done(
        { orderId, state: order.state },
        {
          follow: returnMoney(job, order, job.input.reason ?? 'order cancelled'),
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
      switch (receive(current, job.input)) {
        case 'known':
          return done({ orderId, state: current.state })
        case 'return': {
          await store.noteLatePayment(tx, orderId, job.input)
          const { paymentId, amountMinor } = job.input
          const late = { paymentId, capturedMinor: amountMinor, refundedMinor: 0 }
          return done(
            { orderId, state: current.state },
            { follow: returnMoney(job, late, `order ${current.state}`) },
          )
        }
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

    'orders.record-refund': async job => async tx => {
      const { orderId } = job.input
      await store.noteRefund(tx, job.input)
      const { state } = await mustLoad(tx, orderId)
      return done({ orderId, state })
    },

    'orders.expire-overdue': async job => async tx => {
      const ended = await moves.expireOverdue(tx, {
        limit: expireBatchMax,
        extendedTo: extendedExpiryOf(job.now),
        note: noteOf(job, 'orders.expire-overdue'),
      })
      return done(
        { expired: ended.length },
        {
          emit: ended.map(order => emit(expired, told(order))),
          follow: ended.length < expireBatchMax ? [] : [follow(expireOverdueCommand, {})],
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

const noteOf = (job: Job, cause: keyof Handlers<typeof orders>): Note => ({
  cause,
  actorId: job.actor?.id ?? null,
  traceparent: job.traceparent,
  at: job.now,
})

function customerOf(job: Job): string {
  if (!job.actor) throw new Error('only a person can ask for this')
  return job.actor.id
}

const told = ({ id, customerId, totalMinor, currency }: store.OrderRow) => ({
  orderId: id,
  customerId,
  totalMinor,
  currency,
})

async function mustLoad(tx: Tx, orderId: string): Promise<store.OrderRow> {
  const order = await store.loadOrder(tx, orderId)
  if (!order) throw new Error(`there is no order ${orderId}`)
  return order
}

/** The order was saved on these terms; if a price changed since, the next attempt takes the new one. */
function refuseOtherTerms(terms: Priced, reserved: Priced): void {
  if (terms.totalMinor === reserved.totalMinor && terms.currency === reserved.currency) return
  throw new Error('a price changed while the order was placed')
}

/** Nothing was saved: an earlier run has placed the order, or another order has used its quote. */
async function tellUnsaved(tx: Tx, orderId: string, quoteId: string | null) {
  const order = await store.loadOrder(tx, orderId)
  if (order) {
    const { state, totalMinor, currency } = order
    return done({ orderId, state, totalMinor, currency })
  }
  const quote = quoteId === null ? null : await quotes.loadQuote(tx, quoteId)
  if (!quote?.orderId) throw new Error(`order ${orderId} was neither saved nor there`)
  return rejected('quote_used', { orderId: quote.orderId })
}

/**
 * No row moved: there is no such order of this customer, or it is in a state that does not allow the move. Whoever is
 * so quick that the order is still to be placed waits for it.
 */
async function refuseMove(
  tx: Tx,
  job: Job<Command>,
  { orderId, ownerId }: { readonly orderId: string; readonly ownerId: string },
  to: OrderState,
) {
  const isBeingPlaced = await store.isBeingPlaced(tx, orderId, ownerId) // first: if it is not, it can be loaded
  const order = await store.loadOrder(tx, orderId)
  if (order === null && isBeingPlaced) return later(lookAgainMs(job.run), 'the order is not placed yet')
  if (order?.customerId !== ownerId) return rejected('order_not_found')
  const allowed = sourcesOf(to)
  if (allowed.includes(order.state)) return later(0, 'the order has just moved')
  return rejected('order_state_conflict', { current: order.state, allowed })
}

/** The refund of what is left of a captured payment, if anything. */
function returnMoney(
  job: Job<Command>,
  money: Pick<store.OrderRow, 'paymentId' | 'capturedMinor' | 'refundedMinor'>,
  reason: string,
): readonly FollowUp[] {
  const amountMinor = money.capturedMinor - money.refundedMinor
  if (money.paymentId === null || amountMinor === 0) return []
  return [follow(refund, { paymentId: money.paymentId, requestId: job.id, amountMinor, reason })]
}
