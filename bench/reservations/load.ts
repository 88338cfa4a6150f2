// The buyers: each reserves a piece, and the next one once it has it.
import { v7 as uuidv7 } from 'uuid'
import { connect, type Sql } from '../../db/client.ts'
import { batch } from '../../queues/batch.ts'
import { sharedMax } from '../../queues/commit.ts'
import { percentile } from '../measure.ts'
import { serveCalls } from '../remote.ts'

/** As orders reserves, batch by batch; and as one would without thinking of batches, order by order. */
export type Way = 'catalog.reserve' | 'single statements'

interface Load {
  readonly way: Way
  readonly connections: number
  readonly buyers: number
  readonly skus: number
}

const databaseUrl = process.env.DATABASE_URL ?? ''
const owner = connect(databaseUrl, { max: 2 })
const skuOf = (number: number) => `SKU-${number}`
/** Answers whether the order has its piece. */
type Reserve = (sku: string) => Promise<boolean>

export const calls = serveCalls({
  fill: async ({ skus, onHand }: { skus: number; onHand: number }) => {
    await owner`truncate catalog.products, catalog.stock, catalog.reservations cascade`
    const all = Array.from({ length: skus }, (_, number) => skuOf(number))
    await owner`insert into catalog.products (id, sku, title, price_minor, currency, created_at)
      select gen_random_uuid(), sku, sku, 1999, 'EUR', now() from unnest(${all}::text[]) as sku`
    await owner`insert into catalog.stock (sku, on_hand) select sku, ${onHand} from catalog.products`
  },
  /** Answers how many pieces a second were reserved, and how long each took. */
  reserve: async ({ seconds, ...load }: Load & { seconds: number }) => {
    const latencies: number[] = []
    const startedAt = performance.now()
    const until = startedAt + seconds * 1_000
    await withBuyers(load, async (reserve, chooseSku) => {
      while (performance.now() < until) {
        const askedAt = performance.now()
        if (!(await reserve(chooseSku()))) throw new Error('a piece was refused although there are plenty')
        latencies.push(performance.now() - askedAt)
      }
    })
    const elapsed = (performance.now() - startedAt) / 1_000
    await check(latencies.length)
    return {
      perSecond: latencies.length / elapsed,
      p50: percentile(latencies, 0.5),
      p99: percentile(latencies, 0.99),
    }
  },
  /** More is wanted than there is. Throws unless exactly what there is was sold. */
  sellOut: async ({ wanted, onHand, ...load }: Load & { wanted: number; onHand: number }) => {
    let left = wanted
    let sold = 0
    await withBuyers(load, async reserve => {
      while (--left >= 0) if (await reserve(skuOf(left % load.skus))) sold++
    })
    if (sold !== onHand * load.skus) throw new Error(`${sold} of ${onHand * load.skus} pieces were sold`)
    await check(sold)
  },
})

async function withBuyers(
  { way, connections, buyers, skus }: Load,
  buy: (reserve: Reserve, chooseSku: () => string) => Promise<void>,
): Promise<void> {
  // One connection and one batcher each: so many processes reserve.
  const pools = Array.from({ length: connections }, () => connect(databaseUrl, { max: 1, ...roleOf(way) }))
  const reserves = pools.map(way === 'catalog.reserve' ? reserveTogether : reserveAlone)
  const chooseSku = () => skuOf(Math.floor(Math.random() * skus))
  try {
    await Promise.all(
      Array.from({ length: buyers }, (_, number) =>
        buy(reserves[number % connections] as Reserve, chooseSku),
      ),
    )
  } finally {
    await Promise.all(pools.map(pool => pool.end()))
  }
}

const roleOf = (way: Way) => (way === 'catalog.reserve' ? { role: 'waybill_orders' } : {})

/** As many in one statement as share a transaction in the service. */
function reserveTogether(sql: Sql): Reserve {
  return batch(
    async (wanted: readonly string[]) => {
      const orders = wanted.map(sku => ({ orderId: uuidv7(), lines: [{ sku, quantity: 1 }] }))
      const rows = await sql<{ orderId: string; enough: boolean }[]>`
        select order_id as "orderId", enough from catalog.reserve(${sql.json(orders)})`
      const enough = new Map(rows.map(row => [row.orderId, row.enough]))
      return orders.map(({ orderId }) => enough.get(orderId) === true)
    },
    { sizeMax: sharedMax, isOfOneItem: () => false },
  )
}

const reserveAlone =
  (sql: Sql): Reserve =>
  async sku => {
    const rows = await sql`
      with taken as (
        update catalog.stock set reserved = reserved + 1 where sku = ${sku} and on_hand - reserved >= 1 returning sku
      )
      insert into catalog.reservations (order_id, sku, quantity) select ${uuidv7()}, sku, 1 from taken returning sku`
    return rows.length === 1
  }

/** Throws unless as many pieces are reserved as were sold, product by product, and none that is not there. */
async function check(sold: number): Promise<void> {
  const wrong = await owner<{ sku: string }[]>`
    select s.sku from catalog.stock s left join (
      select sku, sum(quantity) as quantity from catalog.reservations group by sku
    ) held on held.sku = s.sku
    where s.reserved <> coalesce(held.quantity, 0) or s.reserved > s.on_hand`
  const [all] = await owner<
    { reserved: number }[]
  >`select sum(reserved)::bigint as reserved from catalog.stock`
  if (wrong.length > 0 || all?.reserved !== sold)
    throw new Error(
      `${sold} sold, ${all?.reserved} reserved, wrong: ${wrong.map(({ sku }) => sku).join(', ')}`,
    )
}
