import { afterAll, beforeAll, expect, test } from 'bun:test'
import { join } from 'node:path'
import { v7 as uuidv7 } from 'uuid'
import { cancel } from '../queues/orders.ts'
import type { TestKernel } from '../test/harness.ts'
import { addProduct, buy, somebody, tradeKernel } from '../test/trade.ts'
import type { Sql } from './client.ts'
import { checkInvariants, type Finding } from './invariants.ts'

let kernel: TestKernel
let edge: Sql
beforeAll(async () => {
  kernel = await tradeKernel()
  edge = kernel.database.sql('edge')
})
afterAll(() => kernel.stop())

const check = (sql: Sql = edge) =>
  checkInvariants(sql, { since: new Date(Date.now() - 3_600_000), eachMs: 20_000 })
const brokenOf = (findings: readonly Finding[]) =>
  Object.fromEntries(
    findings.filter(({ state }) => state !== 'holds').map(({ name, broken }) => [name, broken]),
  )

/** A paid order, one that was declined, and one that was paid and cancelled. */
async function someOrders() {
  const { sku } = await addProduct(kernel)
  const actor = somebody()
  const lines = [{ sku, quantity: 2 }]
  const paid = await buy(kernel, lines, { actor })
  const declined = await buy(kernel, lines, { card: 'pm_card_declined' })
  const cancelled = await buy(kernel, lines, { actor })
  await kernel.idle()
  await kernel.run(cancel, { orderId: cancelled.id }, { actor })
  await kernel.idle()
  const [payment] = await kernel.sql`select id from payments.payments where order_id = ${paid.id}`
  const [returned] = await kernel.sql`select id from payments.payments where order_id = ${cancelled.id}`
  return {
    sku,
    paid: paid.id,
    declined: declined.id,
    cancelled: cancelled.id,
    payment: String(payment?.id),
    returned: String(returned?.id),
  }
}
type Orders = Awaited<ReturnType<typeof someOrders>>

test('each invariant is a sentence, and all hold when all is well', async () => {
  await someOrders()
  const findings = await check()
  expect(brokenOf(findings)).toEqual({})
  expect(findings.length).toBeGreaterThan(8)
  for (const { sentence } of findings) expect(sentence).toMatch(/^[A-Z].+\.$/)
})

/** A parcel of the order that has its label, as shipping writes it. */
async function addParcel(sql: Sql, orderId: string, lines: { sku: string; quantity: number }[]) {
  const id = uuidv7()
  await sql`insert into shipping.shipments
      (id, order_id, store_id, customer_id, lines, weight_g, carrier, service, status, bought_at, heard_at, created_at)
    values (${id}, ${orderId}, ${uuidv7()}, ${uuidv7()}, ${sql.json(lines)}, 0, 'manual', 'Standard', 'label_created', now(),
      now(), now())`
  await sql`insert into shipping.tracking (shipment_id, source, event_id, status, rank, occurred_at)
    values (${id}, 'label', 'bought', 'label_created', 1, now())`
  return id
}

type Damage = (sql: Sql, orders: Orders) => Promise<string>
/** What somebody would have to do to the tables for each of them to notice, and what it then names. */
const damage: Record<string, Damage | Damage[]> = {
  stock: async (sql, { sku }) => {
    await sql`update catalog.stock set reserved = reserved + 1 where sku = ${sku}`
    return `SKU ${sku}`
  },
  pieces: async (sql, { paid }) => {
    await sql`update catalog.reservations set state = 'held' where order_id = ${paid}`
    return `order ${paid}`
  },
  totals: [
    async (sql, { declined }) => {
      await sql`update orders.lines set quantity = 3, total_minor = 3 * unit_price_minor where order_id = ${declined}`
      return `order ${declined}`
    },
    async (sql, { paid }) => {
      await sql`update orders.orders set tax_minor = 1, prices_include_tax = true where id = ${paid}`
      return `order ${paid}`
    },
    async (sql, { paid }) => {
      await sql`update orders.orders set split = '[{"account": "sales", "amountMinor": 699}]' where id = ${paid}`
      return `order ${paid}`
    },
  ],
  discounts: [
    async sql => {
      await sql`insert into orders.discounts (id, code, rate_ppm, starts_at, uses, created_at)
        values (${uuidv7()}, 'NOBODY', 100000, now(), 1, now())`
      return 'discount NOBODY'
    },
    async (sql, { paid }) => {
      await sql`update orders.orders set discount_code = 'NONE' where id = ${paid}`
      return `order ${paid}`
    },
  ],
  history: async (sql, { cancelled }) => {
    await sql`delete from orders.history where order_id = ${cancelled} and seq = 2`
    return `order ${cancelled}`
  },
  charges: async (sql, { declined }) => {
    const [row] =
      await sql`update payments.payments set amount_minor = amount_minor - 1 where order_id = ${declined} returning id`
    return `payment ${row?.id}`
  },
  refunds: async (sql, { returned }) => {
    await sql`update payments.payments set refunded_minor = refunded_minor - 1 where id = ${returned}`
    return `payment ${returned}`
  },
  paid: async (sql, { paid }) => {
    await sql`update orders.orders set payment_id = ${uuidv7()} where id = ${paid}`
    return `order ${paid}`
  },
  captures: [
    async (sql, { payment }) => {
      await sql`insert into payments.captures (id, payment_id, request_id, amount_minor, is_final, status, created_at)
        values (${uuidv7()}, ${payment}, ${uuidv7()}, 1, false, 'succeeded', now())`
      return `payment ${payment}`
    },
    async (sql, { payment }) => {
      await sql`insert into payments.captures (id, payment_id, request_id, amount_minor, is_final, created_at)
        values (${uuidv7()}, ${payment}, ${uuidv7()}, 1, false, now())`
      return `payment ${payment}`
    },
  ],
  splits: [
    async (sql, { payment }) => {
      await sql`update payments.payments set split = '[{"account": "commission", "amountMinor": 1}]' where id = ${payment}`
      return `payment ${payment}`
    },
    async (sql, { payment }) => {
      await sql`update payments.payments set split = jsonb_build_array(
        jsonb_build_object('account', 'commission', 'amountMinor', 1),
        jsonb_build_object('account', 'sales', 'amountMinor', amount_minor - 1)) where id = ${payment}`
      return `payment ${payment}`
    },
  ],
  disputes: [
    async (sql, { payment }) => {
      const id = uuidv7()
      await sql`insert into payments.disputes (id, payment_id, reference, amount_minor, status, reason, opened_at)
        values (${id}, ${payment}, 'dp_1', 5, 'needs_response', 'fraudulent', now())`
      return `dispute ${id}`
    },
    async (sql, { payment, paid }) => {
      const id = uuidv7()
      await sql`insert into payments.disputes (id, payment_id, reference, amount_minor, status, reason, opened_at, closed_at)
        values (${id}, ${payment}, 'dp_1', 5, 'won', 'fraudulent', now(), now())`
      await sql`insert into payments.transfers
          (kind, source_id, payment_id, order_id, debit, credit, amount_minor, currency)
        values ('dispute', ${id}, ${payment}, ${paid}, 'disputes', 'provider:simulator', 5, 'EUR')`
      return `dispute ${id}`
    },
  ],
  captured: async (sql, { paid, payment }) => {
    await sql`update payments.payments set created_at = now() - interval '11 minutes' where id = ${payment}`
    await sql`update orders.orders set payment_id = null, captured_minor = 0, state = 'pending_payment' where id = ${paid}`
    return `payment ${payment}`
  },
  quotes: async (sql, { declined }) => {
    const id = uuidv7()
    await sql`insert into orders.quotes
        (id, customer_id, total_minor, currency, price_version, quoted_at, expires_at, order_id)
      select ${id}, customer_id, 700, currency, '', now(), now(), id from orders.orders where id = ${declined}`
    await sql`insert into orders.quote_lines (quote_id, sku, title, quantity, unit_price_minor, total_minor, expires_at)
      values (${id}, 'ANY', 'Any', 1, 699, 699, now())`
    return `quote ${id}`
  },
  shipments: async (sql, { paid }) => {
    await sql`update orders.orders set state = 'fulfilling' where id = ${paid}`
    await sql`update orders.lines set shipped = 1 where order_id = ${paid}`
    return `order ${paid}`
  },
  returns: async (sql, { paid }) => {
    await sql`update orders.orders set state = 'completed' where id = ${paid}`
    await sql`update orders.lines set shipped = 2, returned = 1 where order_id = ${paid}`
    return `order ${paid}`
  },
  prices: async (sql, { sku }) => {
    await sql`update catalog.products set price_minor = price_minor + 1 where sku = ${sku}`
    return `SKU ${sku}`
  },
  stores: [
    async sql => {
      const rate = { country: 'DE', taxClass: 'standard', ratePpm: 1, name: 'VAT' }
      await sql`update catalog.stores set taxes = ${sql.json([rate, { ...rate, ratePpm: 2 }])}`
      return 'store 00000000-0000-7000-8000-000000000001'
    },
    async (sql, { sku }) => {
      const storeId = uuidv7()
      await sql`insert into catalog.stores (id, kind, name, capture, created_at)
        values (${storeId}, 'shop', 'Another', 'automatic', now())`
      await sql`insert into catalog.product_categories (product_id, category, store_id)
        select id, 'Tea', ${storeId} from catalog.products where sku = ${sku}`
      return `SKU ${sku}`
    },
    async (sql, { sku }) => {
      const variant = await addVariant(sql, sku)
      await sql`insert into catalog.product_categories (product_id, category)
        select id, 'Tea' from catalog.products where sku = ${variant}`
      return `SKU ${variant}`
    },
  ],
  variants: [
    async (sql, { sku }) => {
      await sql`update catalog.products set variants = 1 where sku = ${sku}`
      return `SKU ${sku}`
    },
    async (sql, { sku }) => {
      const variant = await addVariant(sql, sku)
      await sql`update catalog.products set tax_class = 'zero' where sku = ${variant}`
      return `SKU ${variant}`
    },
    async (sql, { sku }) => {
      const variant = await addVariant(sql, sku)
      await sql`update catalog.products set title = title || '!' where sku = ${sku}`
      return `SKU ${variant}`
    },
  ],
  ledger: [
    async (sql, { payment }) => {
      await sql`delete from payments.transfers where source_id = ${payment}`
      return `payment ${payment}`
    },
    async (sql, { payment }) => {
      await sql`update payments.transfers set payment_id = ${uuidv7()} where source_id = ${payment}`
      return `payment ${payment}`
    },
    async (sql, { payment, paid }) => {
      const [row] = await sql`insert into payments.transfers
          (kind, source_id, payment_id, order_id, debit, credit, amount_minor, currency)
        values ('refund', ${uuidv7()}, ${payment}, ${paid}, 'refunds', 'provider:simulator', 1, 'EUR') returning seq`
      return `transfer ${row?.seq}`
    },
  ],
  statements: [
    async sql => {
      const id = uuidv7()
      await sql`insert into payments.store_sums values (${id}, 'EUR', 'taken', 5)`
      return `store ${id} in EUR`
    },
    async sql => {
      const id = uuidv7()
      await sql`insert into payments.payouts values (${id}, ${uuidv7()}, 5, 'EUR', 'SEPA 1', now())`
      return `payout ${id}`
    },
  ],
  balances: async sql => {
    await sql`insert into payments.balances values ('sales', 'XTS', 1, 0)`
    return 'account sales in XTS'
  },
  shipped: async (sql, { paid, sku }) => {
    await addParcel(sql, paid, [{ sku, quantity: 2 }])
    await addParcel(sql, paid, [{ sku, quantity: 1 }])
    return `order ${paid}`
  },
  labels: async (sql, { paid, sku }) => {
    const id = await addParcel(sql, paid, [{ sku, quantity: 1 }])
    await sql`update shipping.tracking set event_id = 'another' where shipment_id = ${id}`
    return `shipment ${id}`
  },
  tracking: async (sql, { paid, sku }) => {
    const id = await addParcel(sql, paid, [{ sku, quantity: 1 }])
    await sql`update shipping.shipments set status = 'delivered' where id = ${id}`
    return `shipment ${id}`
  },
  tickets: async (sql, { paid, sku }) => {
    const id = uuidv7()
    await sql`insert into shipping.tickets (id, order_id, store_id, customer_id, lines, state, accepted_at)
      values (${id}, ${paid}, ${uuidv7()}, ${uuidv7()}, ${sql.json([{ sku, quantity: 1 }])}, 'preparing', now())`
    return `ticket ${id}`
  },
  events: async (sql, { paid }) => {
    const [row] = await sql`insert into journal.commands
        (id, type, input, event_id, correlation_id, traceparent, due_at, settled_at, state)
      select ${uuidv7()}, type, input, event_id, correlation_id, traceparent, due_at, now(), 'succeeded'
      from journal.commands where type = 'orders.confirm-payment' and correlation_id = ${paid} returning event_id`
    return `event ${row?.event_id} for orders.confirm-payment`
  },
  abandoned: async sql => {
    const id = uuidv7()
    await sql`insert into journal.commands (id, type, input, correlation_id, traceparent, due_at)
      values (${id}, 'media.convert', '{}', ${id}, '', now() - interval '6 minutes')`
    return `command ${id}`
  },
}

async function addVariant(sql: Sql, sku: string): Promise<string> {
  await sql`update catalog.products set variants = 1 where sku = ${sku}`
  const [variant] = await sql`
    with variant as (
      insert into catalog.products (id, sku, title, price_minor, currency, created_at, parent_id, options)
      select ${uuidv7()}, sku || '-M', title || ' (M)', 1, currency, now(), id, '{"size": "M"}'
      from catalog.products where sku = ${sku} returning *
    ), price as (
      insert into catalog.prices (product_id, version, price_minor, currency, since)
      select id, 1, price_minor, currency, now() from variant
    ), stock as (insert into catalog.stock (sku, on_hand) select sku, 1 from variant)
    select sku from variant`
  return String(variant?.sku)
}

test('each notices what breaks it, by its name', async () => {
  const orders = await someOrders()
  const names = (await check()).map(({ name }) => name)
  expect(Object.keys(damage).sort()).toEqual(names)
  const each = names.flatMap(name => [damage[name] ?? []].flat().map(harm => ({ name, harm })))
  for (const { name, harm } of each) {
    const undone = new Error('undone')
    const looked = kernel.sql.begin(async tx => {
      const what = await harm(tx as unknown as Sql, orders)
      const rows = await tx<{ what: string }[]>`
        select what from ${tx(`invariants.${name}`)}(now() - interval '1 hour') as what`
      expect([name, rows.map(row => row.what)]).toEqual([name, [what]])
      throw undone
    })
    await expect(looked).rejects.toBe(undone)
  }
})

test('they hold at every instant while customers buy, fail to pay and cancel', async () => {
  const { sku } = await addProduct(kernel, { onHand: 60 })
  const cards = ['pm_card_ok', 'pm_card_declined', 'pm_card_timeout']
  let looks = 0
  const buyers = Promise.all(
    Array.from({ length: 60 }, async (_, number) => {
      const actor = somebody()
      const card = cards[number % cards.length] ?? ''
      do {
        const order = await buy(kernel, [{ sku, quantity: 1 + (number % 3) }], { actor, card })
        if (number % 2 === 0 && order.state === 'succeeded')
          await kernel.run(cancel, { orderId: order.id }, { actor })
      } while (looks < 5)
    }),
  )
  let over = false
  const done = buyers.then(() => kernel.idle()).finally(() => (over = true))
  for (; !over; looks++) expect(brokenOf(await check())).toEqual({})
  await done
})

test('one that cannot be looked at in time is said to be unchecked', async () => {
  const locked = Promise.withResolvers<void>()
  const done = Promise.withResolvers<void>()
  const holder = kernel.sql.begin(async tx => {
    await tx`lock table catalog.stock in access exclusive mode`
    locked.resolve()
    await done.promise
  })
  await locked.promise
  const findings = await checkInvariants(edge, { since: new Date(), eachMs: 50 })
  done.resolve()
  await holder
  expect(findings.find(({ name }) => name === 'stock')).toMatchObject({ state: 'unchecked', broken: [] })
  expect(findings.find(({ name }) => name === 'totals')?.state).toBe('holds')
})

test('from the command line: 0 when all hold, 1 and what breaks them, 2 when it cannot look', async () => {
  const run = async (args: string[], url = kernel.database.url) => {
    const child = Bun.spawn([process.execPath, join(import.meta.dir, 'invariants.ts'), ...args], {
      env: { ...process.env, DATABASE_URL: url },
      stdout: 'pipe',
      stderr: 'pipe',
    })
    const [out, err, code] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
      child.exited,
    ])
    return { out, err, code }
  }
  expect(await run([])).toMatchObject({ code: 0, err: '' })
  expect(JSON.parse((await run(['--json', '--hours', '1'])).out)).toBeArray()
  expect((await run(['--hours', 'x'])).err).toContain('--hours must be a number')
  expect((await run(['--ours'])).code).toBe(2)
  expect((await run([], '')).err).toContain('DATABASE_URL is not set')
  const id = uuidv7()
  await kernel.sql`insert into journal.commands (id, type, input, correlation_id, traceparent, due_at)
    values (${id}, 'media.convert', '{}', ${id}, '', now() - interval '6 minutes')`
  expect(await run([])).toMatchObject({ code: 1, out: expect.stringContaining(`command ${id}`) })
  await kernel.sql`delete from journal.commands where id = ${id}`
})
