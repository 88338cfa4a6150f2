import { createClient } from '../../client/client.ts'
import type { RefusalsOf, Settled } from '../../client/types.ts'
import type { place } from '../../queues/orders.ts'

// What must not compile with the typed client. The compiler reports an expected error that does not come.

const client = createClient({ baseUrl: 'http://localhost:3000' })
const input = { lines: [{ sku: 'MUG', quantity: 1 }], paymentMethod: 'pm_card_ok' }

export async function asksOfTheRegistry() {
  const operation = await client.orders.place(input, { idempotencyKey: 'k', waitSeconds: 5 })
  await client.catalog.setStock({ productId: operation.id, onHand: 3 })
  const order = await client.orders.get(operation.id)
  const text: string = order.state
  const outcome = await operation.wait()
  if (outcome.state === 'succeeded') return outcome.output.totalMinor + text.length

  // @ts-expect-error the quantity is a number
  await client.orders.place({ ...input, lines: [{ sku: 'MUG', quantity: '1' }] })
  // @ts-expect-error there is no such field
  await client.orders.place({ ...input, coupon: 'X' })
  // @ts-expect-error either lines or a quote
  await client.orders.place({ paymentMethod: 'pm_card_ok' })
  // @ts-expect-error not both
  await client.orders.place({ ...input, quote: 'token' })
  await client.orders.place({ quote: 'token', paymentMethod: 'pm_card_ok' })
  // @ts-expect-error the order is missing
  await client.orders.cancel({})
  // @ts-expect-error it has no route: only an event calls for it
  await client.orders.confirmPayment({})
  // @ts-expect-error there is no such command
  await client.orders.teleport({})
  // @ts-expect-error an outcome may have no output
  return outcome.output
}

/** Every refusal has its own facts. */
export function explain(refusal: RefusalsOf<typeof place>): string {
  switch (refusal.code) {
    case 'out_of_stock':
      return refusal.detail.shortages.map(each => `${each.sku}: ${each.available} left`).join()
    case 'unknown_product':
      return refusal.detail.skus.join()
    case 'mixed_currencies':
      return refusal.detail.currencies.join()
    case 'price_changed':
      return `now ${refusal.detail.totalMinor} ${refusal.detail.currency}`
    case 'quote_used':
      return refusal.detail.orderId
    case 'several_stores':
      return refusal.detail.storeIds.join()
    case 'store_closed':
      return refusal.detail.opensAt ?? 'closed'
    case 'discount_not_applicable':
      return refusal.detail.because
    case 'rate_mismatch':
      return refusal.detail.differs.join()
    case 'terms_in_quote':
      return refusal.detail.fields.join()
    case 'total_too_large':
    case 'discount_unknown':
    case 'discount_used_up':
    case 'rate_invalid':
    case 'rate_expired':
    case 'quote_invalid':
    case 'quote_expired':
      return refusal.title
  }
}

// @ts-expect-error a refusal of the contract without its case
export function explainInPart(refusal: RefusalsOf<typeof place>): string {
  switch (refusal.code) {
    case 'out_of_stock':
    case 'unknown_product':
    case 'mixed_currencies':
      return refusal.title
  }
}

export function isSoldOut(outcome: Settled<typeof place>): boolean {
  // @ts-expect-error no refusal is called that
  if (outcome.state === 'rejected' && outcome.refusal.code === 'sold_out') return true
  return outcome.state === 'rejected' && outcome.refusal.code === 'out_of_stock'
}
