import type { Actor } from '../../queues/access.ts'
import { setPrice } from '../../queues/catalog.ts'
import type { OutputOf } from '../../queues/command.ts'
import type { Quote } from '../../queues/order-views.ts'
import { place, quote } from '../../queues/orders.ts'
import type { TestKernel } from '../../test/harness.ts'
import { readConfig } from './config.ts'
import { createQuoteTokens } from './quote-token.ts'

export type Quoted = OutputOf<typeof quote>

/** As the services of these tests sign. */
export const tokens = createQuoteTokens(readConfig({}).secret)

/** What customers do with quotes, and what happens to them. */
export function quoting(kernel: TestKernel) {
  const get = async (id: string, actor: Actor) => {
    const headers = { 'x-waybill-actor': actor.id }
    const request = new Request(`http://orders.test/quotes/${id}`, { headers })
    const answer = await kernel.services.routesOf('orders').handle(request)
    return { status: answer.status, body: (await answer.json()) as Quote }
  }
  return {
    ask: async (lines: { sku: string; quantity: number }[], actor: Actor): Promise<Quoted> => {
      const { state, result } = await kernel.run(quote, { lines }, { actor })
      if (state !== 'succeeded') throw new Error(`no quote: ${JSON.stringify(result)}`)
      return result as Quoted
    },
    placeFrom: (token: string, actor: Actor) =>
      kernel.run(place, { quote: token, paymentMethod: 'pm_card_ok' }, { actor }),
    get,
    stateOf: async (id: string, actor: Actor) => (await get(id, actor)).body.state,
    reprice: (productId: string, priceMinor: number) =>
      kernel.run(setPrice, { productId, priceMinor, currency: 'EUR' }),
    /** Its time was up a second ago. */
    expire: (id: string) =>
      kernel.sql.begin(async tx => {
        await tx`update orders.quotes set expires_at = now() - interval '1 second' where id = ${id}`
        await tx`update orders.quote_lines set expires_at = now() - interval '1 second' where quote_id = ${id}`
      }),
  }
}
