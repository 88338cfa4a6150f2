import { afterEach, expect, test } from 'bun:test'
import type { Actor } from '../../queues/access.ts'
import { cancel, expireOverdue, pay } from '../../queues/orders.ts'
import type { TestKernel } from '../../test/harness.ts'
import { addProduct, broken, buy, somebody, tradeKernel } from '../../test/trade.ts'

const seeds = [20_251, 77]
const cards = ['pm_card_ok', 'pm_card_ok', 'pm_card_declined', 'pm_card_timeout']
const stock = 40

let kernel: TestKernel
afterEach(() => kernel.stop())

for (const seed of seeds) {
  test(`whatever customers do at the same time, no invariant is broken (seed ${seed})`, async () => {
    kernel = await tradeKernel()
    const chance = randomFrom(seed)
    const pick = <T>(from: readonly T[]): T => from[Math.floor(chance() * from.length)] as T
    const skus = (await Promise.all([1, 2, 3, 4].map(() => addProduct(kernel, { onHand: stock })))).map(
      ({ sku }) => sku,
    )
    const known: { id: string; actor: Actor }[] = []

    const operations: readonly (() => Promise<unknown>)[] = [
      async () => {
        const actor = somebody()
        const lines = Array.from({ length: 1 + Math.floor(chance() * 4) }, () => ({
          sku: pick(skus),
          quantity: 1 + Math.floor(chance() * 3),
        }))
        const { id, state } = await buy(kernel, lines, { actor, card: pick(cards) })
        if (state === 'succeeded') known.push({ id, actor })
      },
      async () => {
        const order = pick(known)
        if (order) await kernel.run(cancel, { orderId: order.id }, { actor: order.actor })
      },
      async () => {
        const order = pick(known)
        const input = order && { orderId: order.id, paymentMethod: pick(cards) }
        if (input) await kernel.run(pay, input, { actor: order.actor })
      },
      async () => {
        const order = pick(known)
        if (!order) return
        await kernel.sql`update orders.orders set expires_at = now() where id = ${order.id}`
        await kernel.run(expireOverdue, {})
      },
    ]
    const weighted = [0, 0, 0, 1, 2, 3].map(at => operations[at] as (typeof operations)[number])
    const customer = async () => {
      for (let n = 0; n < 20; n++) await pick(weighted)()
    }
    await Promise.all(Array.from({ length: 16 }, customer))
    await kernel.idle(10_000) // longer than a provider that timed out too often is left alone

    expect(await broken(kernel.sql)).toEqual([])
    expect(await piecesLost(kernel)).toEqual([])
    const states = await kernel.sql<{ state: string }[]>`select distinct state from orders.orders order by 1`
    expect(states.map(row => row.state)).toEqual(expect.arrayContaining(['cancelled', 'paid']))
  })
}

/** Products whose pieces on hand are not what there was at first: nothing is shipped here. */
const piecesLost = async ({ sql }: TestKernel) => [
  ...(await sql`
    select sku, on_hand from catalog.stock where on_hand <> ${stock}`),
]

/** Park and Miller's generator: the choices of a run can be made again from its seed. */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 48_271) % 2_147_483_647
    return state / 2_147_483_647
  }
}
