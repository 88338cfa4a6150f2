import { afterEach, expect, test } from 'bun:test'
import { v7 as uuidv7 } from 'uuid'
import { checkInvariants } from '../../db/invariants.ts'
import type { Actor } from '../../queues/access.ts'
import { findStuck } from '../../queues/cases.ts'
import {
  accept,
  cancelUnaccepted,
  declineReturn,
  receiveReturn,
  recordDelivery,
  recordShipmentReturn,
  reject,
  requestReturn,
  ship,
} from '../../queues/order-fulfilment.ts'
import { cancel, expireOverdue, pay } from '../../queues/orders.ts'
import { capture, observe, refund, voidPayment } from '../../queues/payments.ts'
import type { TestKernel } from '../../test/harness.ts'
import { randomFrom } from '../../test/random.ts'
import { addProduct, buy, somebody, tradeKernel } from '../../test/trade.ts'
import { scriptedProvider } from '../payments/scripted.fixture.ts'

const seeds = [4_711, 20_261_121]
const stock = 200
const cards = ['pm_card_ok', 'pm_card_ok', 'pm_card_ok', 'pm_card_ok', 'pm_card_declined', 'pm_card_3ds']

let kernel: TestKernel
afterEach(() => kernel.stop())

for (const seed of seeds) {
  test(`whatever customers, merchants and the provider do at the same time, no invariant is broken (seed ${seed})`, async () => {
    const scripted = scriptedProvider()
    kernel = await tradeKernel({ wrap: () => scripted.provider })
    const { sql } = kernel
    const chance = randomFrom(seed)
    const fault = randomFrom(seed + 1)
    const pick = <T>(from: readonly T[]): T => from[Math.floor(chance() * from.length)] as T
    scripted.failBy(() => (fault() < 0.08 ? (fault() < 0.5 ? 'before' : 'after') : null))
    const stores = await openStores(kernel)
    const known: { id: string; actor: Actor }[] = []
    const one = async (which: string, from: string) => {
      const rows = await sql.unsafe(`select ${which} from ${from} order by id`)
      return rows.length > 0 ? pick(rows) : null
    }
    const byOrder = (run: (order: { id: string; actor: Actor }) => Promise<unknown>) => async () => {
      const order = pick(known)
      if (order) await run(order)
    }
    const merchant = somebody()
    const some = async (id: string) =>
      (
        await sql<
          { sku: string; quantity: number }[]
        >`select sku, quantity from orders.lines where order_id = ${id}`
      )
        .filter(() => chance() < 0.7)
        .map(({ sku, quantity }) => ({ sku, quantity: 1 + Math.floor(chance() * quantity) }))

    const operations: readonly [number, () => Promise<unknown>][] = [
      [
        6,
        async () => {
          const actor = somebody()
          const skus = pick(stores)
          const lines = [1, 2].map(() => ({ sku: pick(skus), quantity: 1 + Math.floor(chance() * 3) }))
          const { id, state } = await buy(kernel, lines, { actor, card: pick(cards) })
          if (state === 'succeeded') known.push({ id, actor })
        },
      ],
      [1, byOrder(({ id, actor }) => kernel.run(cancel, { orderId: id }, { actor }))],
      [
        1,
        byOrder(({ id, actor }) => kernel.run(pay, { orderId: id, paymentMethod: pick(cards) }, { actor })),
      ],
      [4, byOrder(({ id }) => kernel.run(ship, { orderId: id }, { actor: merchant }))],
      [
        3,
        byOrder(async ({ id }) => {
          const lines = await some(id)
          if (lines.length > 0) await kernel.run(ship, { orderId: id, lines }, { actor: merchant })
        }),
      ],
      [3, byOrder(({ id }) => kernel.run(accept, { orderId: id }, { actor: merchant }))],
      [1, byOrder(({ id }) => kernel.run(reject, { orderId: id, reason: 'sold out' }, { actor: merchant }))],
      [
        5,
        async () => {
          const row = await one(
            'id, order_id',
            `orders.shipments where state in ('handed_over', 'delivered')`,
          )
          if (!row) return
          const told = {
            shipmentId: row.id,
            orderId: row.order_id,
            customerId: uuidv7(),
            lines: [{ sku: 'ANY', quantity: 1 }],
          }
          await kernel.run(chance() < 0.9 ? recordDelivery : recordShipmentReturn, told)
        },
      ],
      [
        3,
        byOrder(async ({ id, actor }) => {
          const lines = await some(id)
          if (lines.length > 0)
            await kernel.run(requestReturn, { orderId: id, lines, reason: 'no' }, { actor })
        }),
      ],
      [
        2,
        async () => {
          const row = await one('id, order_id', `orders.returns where state = 'requested'`)
          if (!row) return
          const lines = await sql<
            { sku: string }[]
          >`select sku from orders.return_lines where return_id = ${row.id}`
          await (chance() < 0.7
            ? kernel.run(
                receiveReturn,
                { orderId: row.order_id, lines: lines.map(({ sku }) => ({ sku, restock: chance() < 0.5 })) },
                { actor: merchant },
              )
            : kernel.run(declineReturn, { orderId: row.order_id, reason: 'worn' }, { actor: merchant }))
        },
      ],
      [
        1,
        byOrder(async ({ id }) => {
          await sql`update orders.orders set expires_at = now() where id = ${id}`
          await kernel.run(expireOverdue, {})
        }),
      ],
      [
        1,
        byOrder(async ({ id }) => {
          await sql`update orders.orders set accept_by = now() where id = ${id} and accept_by is not null`
          await kernel.run(cancelUnaccepted, {})
        }),
      ],
      [1, () => kernel.run(findStuck, {})],
      [
        2,
        async () => {
          const row = await one('id', `payments.payments where status = 'action_required'`)
          if (!row) return
          const charge = scripted.kept(String(row.id))
          const manual = charge.request.capture === 'manual'
          if (charge.answer.kind === 'action_required') {
            charge.answer = manual
              ? {
                  kind: 'authorized',
                  reference: charge.request.key,
                  captureBefore: new Date(Date.now() + 86_400_000),
                }
              : { kind: 'captured', reference: charge.request.key }
            if (!manual)
              charge.captures.push({ key: charge.request.key, amountMinor: charge.request.amountMinor })
          }
          await kernel.run(observe, { paymentId: String(row.id) })
        },
      ],
      [
        1,
        async () => {
          const row = await one('id, amount_minor', `payments.payments where status = 'authorized'`)
          if (!row) return
          const paymentId = String(row.id)
          const amountMinor = chance() < 0.5 ? Number(row.amount_minor) : 1
          await (chance() < 0.7
            ? kernel.run(capture, { paymentId, amountMinor, isFinal: false }, { actor: merchant })
            : kernel.run(voidPayment, { paymentId, reason: 'by hand' }, { actor: merchant }))
        },
      ],
      [
        1,
        async () => {
          const row = await one('id', `payments.payments where captured_minor > 0`)
          if (row)
            await kernel.run(
              refund,
              { paymentId: String(row.id), amountMinor: 1, reason: 'goodwill' },
              { actor: merchant },
            )
        },
      ],
    ]
    const weighted = operations.flatMap(
      ([weight, operation]) => Array(weight).fill(operation) as (typeof operation)[],
    )
    let over = false
    const people = Promise.all(
      Array.from({ length: 10 }, async () => {
        for (let n = 0; n < 30; n++) await pick(weighted)()
      }),
    ).finally(() => {
      over = true
    })
    while (!over) expect(await brokenOf(kernel)).toEqual([])
    await people
    scripted.failBy(null)
    await giveUp()
    await kernel.idle(10_000)

    expect(await brokenOf(kernel)).toEqual([])
    expect(await moneyLost()).toEqual([])
    expect([...(await sql`select type, error ->> 'message' as error from journal.dead_letters`)]).toEqual([])
    expect(await piecesLost(kernel)).toEqual([])
    const states = await sql<{ state: string }[]>`select distinct state from orders.orders`
    expect(states.map(row => row.state)).toEqual(
      expect.arrayContaining(['paid', 'cancelled', 'fulfilling', 'completed']),
    )

    /** The banks give up on buyers who have not confirmed, and whoever waits for them is told. */
    async function giveUp(): Promise<void> {
      const waiting = await sql<
        { id: string }[]
      >`select id from payments.payments where status = 'action_required'`
      for (const { id } of waiting) {
        const charge = scripted.kept(id)
        if (charge.answer.kind === 'action_required')
          charge.answer = { kind: 'voided', reference: charge.request.key }
        await kernel.run(observe, { paymentId: id })
      }
    }

    /** Orders whose net money at the provider is not what they stand for. */
    async function moneyLost(): Promise<readonly string[]> {
      const orders = await sql<
        {
          id: string
          state: string
          total: number
          captured: number
          refunded: number
          authorized: number
          payments: string[]
        }[]
      >`select o.id, state, total_minor as total, o.captured_minor as captured, o.refunded_minor as refunded,
          o.authorized_minor as authorized, array(select p.id from payments.payments p where p.order_id = o.id) as payments
        from orders.orders o`
      return orders.flatMap(order => {
        const net = order.payments.reduce((sum, id) => sum + heldFor(id), 0)
        const isEnded = order.state === 'cancelled' || order.state === 'expired'
        const expected = isEnded ? 0 : order.captured - order.refunded
        return net === expected ? [] : [`${order.state} order ${order.id}: ${net} held, ${expected} expected`]
      })
    }
    function heldFor(paymentId: string): number {
      try {
        return scripted.takenFrom(paymentId) - scripted.backTo(paymentId)
      } catch {
        return 0 // the provider never heard of it
      }
    }
  })
}

/** A shop that charges at once, one that sets money aside, and a kitchen: SKUs of each. */
async function openStores(kernel: TestKernel): Promise<readonly (readonly string[])[]> {
  const kinds = [
    { kind: 'shop', capture: 'automatic', acceptWithinMs: null },
    { kind: 'shop', capture: 'manual', acceptWithinMs: null },
    { kind: 'restaurant', capture: 'manual', acceptWithinMs: 600_000 },
  ]
  return Promise.all(
    kinds.map(async ({ kind, capture, acceptWithinMs }) => {
      const id = uuidv7()
      await kernel.sql`insert into catalog.stores (id, kind, name, capture, accept_within_ms, created_at)
        values (${id}, ${kind}, 'A store', ${capture}, ${acceptWithinMs}, now())`
      const skus = await Promise.all(
        [1, 2, 3].map(async () => (await addProduct(kernel, { onHand: stock })).sku),
      )
      await kernel.sql`update catalog.products set store_id = ${id} where sku = any(${skus})`
      return skus
    }),
  )
}

async function brokenOf({ sql }: TestKernel): Promise<readonly string[]> {
  const findings = await checkInvariants(sql, { since: new Date(0), eachMs: 20_000 })
  return findings
    .filter(({ state }) => state !== 'holds')
    .map(({ name, state, broken }) => `${name} ${state}: ${broken.join(', ')}`)
}

/** Products of which pieces are missing that neither left with an order nor came back with one. */
const piecesLost = async ({ sql }: TestKernel) => [
  ...(await sql`
    select s.sku, s.on_hand from catalog.stock s
    left join (select sku, sum(fulfilled - restocked) as gone from catalog.reservations group by sku) r on r.sku = s.sku
    where s.on_hand + coalesce(r.gone, 0) <> ${stock}`),
]
