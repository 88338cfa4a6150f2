import { isDeepStrictEqual } from 'node:util'
import { pino } from 'pino'
import { connect } from '../db/client.ts'
import { checkInvariants } from '../db/invariants.ts'
import { developmentAccounts, ensureDevelopmentAccounts } from '../deploy/local/development-accounts.ts'
import { freePort } from '../deploy/local/ports.ts'
import type { Totals } from '../workers/payments/simulator/ledger.ts'
import type { BenchOptions } from './bench.ts'
import { startServer } from './child.ts'
import type { Lab, Place } from './lab.ts'
import { type Findings, type Measurement, median, spread } from './measure.ts'
import type { calls as loadCalls } from './orders/load.ts'
import { cpuMs, residentMb } from './process-cost.ts'
import { startRemote } from './remote.ts'

/** From the request to paid, with the payment provider in another process. */
const sagasDemanded = { perSecond: 500, p99Ms: 1_000 }
const residentMbMax = 250
const readyMsMax = 2_000

interface Case {
  readonly name: string
  readonly customers: number
  readonly skus: number
}
const cases: readonly Case[] = [
  { name: '1 customer, 100 SKUs', customers: 1, skus: 100 },
  { name: '16 customers, 100 SKUs', customers: 16, skus: 100 },
  { name: '64 customers, 100 SKUs', customers: 64, skus: 100 },
  { name: '64 customers, 1 hot SKU', customers: 64, skus: 1 },
]
const main = '64 customers, 100 SKUs'

const measured = ['waybill', 'postgres', 'redis', 'simulator'] as const

interface Run {
  readonly perSecond: number
  readonly p50: number
  readonly p99: number
  /** Cores that each kept busy. */
  readonly cpuShare: Readonly<Record<(typeof measured)[number], number>>
}

/** From the request to the paid order, over HTTP, everything in one process but the payment provider; and what that process weighs. */
export async function measureOrders(lab: Lab, { quick, repeats, tell }: BenchOptions): Promise<Findings> {
  const seconds = quick ? 3 : 8
  const place = await lab.freshPlace()
  const port = await freePort()
  const load = startRemote<typeof loadCalls>('orders/load.ts', {
    ...place,
    API_URL: `http://127.0.0.1:${port}`,
  })
  try {
    const provider = await openProvider()
    const shop = await openShop(place, port, { SMTP_URL: await load.call('mailbox'), ...provider.env })
    try {
      const runs = new Map<string, Run[]>(cases.map(({ name }) => [name, []]))
      const cpu = () => ({ ...lab.cpu(), waybill: cpuMs(shop.pid), simulator: cpuMs(provider.pid) })
      await load.call('buy', { shop, customers: 64, seconds: 2 }) // warm-up
      for (let repeat = 0; repeat < repeats; repeat++)
        for (const { name, customers, skus } of cases) {
          const before = cpu()
          const bought = await load.call('buy', {
            shop: { ...shop, skus: shop.skus.slice(0, skus) },
            customers,
            seconds,
          })
          const after = cpu()
          const share = (who: keyof typeof before) => (after[who] - before[who]) / (seconds * 1_000)
          const cpuShare = {
            waybill: share('waybill'),
            postgres: share('postgres'),
            redis: share('redis'),
            simulator: share('simulator'),
          }
          runs.get(name)?.push({ ...bought, cpuShare })
          tell(`${name}: ${bought.perSecond.toFixed(0)} orders/s, p99 ${bought.p99.toFixed(0)} ms`)
          await settleDown(place)
        }
      await checkBooks(place, provider.env.SIMULATOR_URL)
      return findings(runs, { idleMb: shop.idleMb, loadedMb: residentMb(shop.pid), readyMs: shop.readyMs })
    } finally {
      await Promise.all([shop.stop(), provider.stop()])
    }
  } finally {
    await load.stop()
  }
}

/** The payment provider, in a process of its own as everywhere; what it weighs is not ours. */
async function openProvider() {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const simulator = 'workers/payments/simulator/serve.ts'
  const child = await startServer(simulator, { PORT: String(port), SIMULATOR_FILE: '' }, `${url}/healthz`)
  return { ...child, env: { PAYMENT_PROVIDERS: 'simulator', SIMULATOR_URL: url } }
}

/** Starts Waybill in one process, with customers and products, and waits until it answers. */
async function openShop(place: Place, port: number, remotes: Readonly<Record<string, string>>) {
  const api = `http://127.0.0.1:${port}`
  const log = pino({ level: 'silent' })
  const env = {
    ...process.env,
    ...place,
    ...remotes,
    PORT: String(port),
    HOST: '127.0.0.1',
    LOG_LEVEL: 'warn',
  }
  const redis = { url: place.REDIS_URL, prefix: place.QUEUE_PREFIX }
  await ensureDevelopmentAccounts({ databaseUrl: place.DATABASE_URL, redis, env, log })
  const child = await startServer('deploy/single.ts', env, `${api}/readyz`)
  await Bun.sleep(1_000)
  const idleMb = residentMb(child.pid)
  const { customer, merchant } = developmentAccounts
  const [customerToken, merchantToken] = await Promise.all([signIn(api, customer), signIn(api, merchant)])
  const skus = Array.from({ length: 100 }, (_, number) => `SKU-${number}`)
  await Promise.all(
    skus.map(sku =>
      post(`${api}/v1/products`, merchantToken, {
        sku,
        title: sku,
        priceMinor: 1_999,
        currency: 'EUR',
        onHand: 1_000_000,
      }),
    ),
  )
  return { ...child, tokens: [customerToken], skus, idleMb }
}

async function signIn(
  api: string,
  { email, password }: { email: string; password: string },
): Promise<string> {
  const tokens = await post(`${api}/v1/sessions`, null, { email, password })
  return (tokens as { accessToken: string }).accessToken
}

async function post(url: string, token: string | null, body: unknown): Promise<unknown> {
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'idempotency-key': crypto.randomUUID(),
      prefer: 'wait=20',
      ...(token !== null && { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify(body),
  })
  if (response.status !== 200) throw new Error(`${url}: ${response.status} ${await response.text()}`)
  return response.json()
}

/** Mails come after the payment: the next case begins when they are out. */
async function settleDown({ DATABASE_URL }: Place): Promise<void> {
  const sql = connect(DATABASE_URL, { max: 1 })
  for (const deadline = Date.now() + 60_000; Date.now() < deadline; await Bun.sleep(100)) {
    const [row] = await sql<{ open: number }[]>`select count(*) as open from journal.commands
      where settled_at is null and due_at < now()`
    if (row?.open === 0) break
  }
  await sql.end()
}

/** Throws unless every order was placed once and paid once, no piece was sold twice, and everything holds that must. */
async function checkBooks({ DATABASE_URL }: Place, simulatorUrl: string): Promise<void> {
  const sql = connect(DATABASE_URL, { max: 1, silenceMs: 0 })
  const [books] = await sql<Record<string, number>[]>`select
    (select count(*) from orders.orders) as orders,
    (select count(*) from orders.orders where state = 'paid') as paid,
    (select sum(reserved)::bigint from catalog.stock) as sold,
    (select count(*) from journal.dead_letters) as dead`
  const findings = await checkInvariants(sql, { since: new Date(0), eachMs: 60_000 })
  const broken = findings.filter(({ state }) => state !== 'holds')
  await sql.end()
  const { charges, calls, statuses } = (await (await fetch(`${simulatorUrl}/ledger/totals`)).json()) as Totals
  const { orders } = books ?? {}
  const expected = {
    orders,
    paid: orders,
    charges: orders,
    calls: orders,
    captured: orders,
    sold: orders,
    dead: 0,
    broken: [],
  }
  const { captured } = statuses
  const found = { ...books, charges, calls, captured, broken }
  if (!isDeepStrictEqual(found, expected)) throw new Error(`the books are wrong: ${JSON.stringify(found)}`)
}

interface Weight {
  readonly idleMb: number
  readonly loadedMb: number
  readonly readyMs: number
}

function findings(
  runs: ReadonlyMap<string, readonly Run[]>,
  { idleMb, loadedMb, readyMs }: Weight,
): Findings {
  const one = (name: string, unit: string, value: number): Measurement => ({
    bench: 'orders',
    case: name,
    unit,
    ...spread([value]),
  })
  const perSecond = median(runs.get(main)?.map(run => run.perSecond) ?? [])
  const p99 = median(runs.get(main)?.map(run => run.p99) ?? [])
  return {
    measurements: [
      ...[...runs].map(([name, some]) => toMeasurement(name, some)),
      one('memory of the one process, idle', 'MB', idleMb),
      one('memory of the one process, after the load', 'MB', loadedMb),
      one('from start to ready', 'ms', readyMs),
    ],
    goals: [
      {
        what: `orders placed to paid, the payment provider in another process, ${main}`,
        demanded: `>= ${sagasDemanded.perSecond}/s, p99 < ${sagasDemanded.p99Ms} ms`,
        measured: `${perSecond.toFixed(0)}/s, p99 ${p99.toFixed(0)} ms`,
        met: perSecond >= sagasDemanded.perSecond && p99 < sagasDemanded.p99Ms,
      },
      {
        what: 'memory of everything in one process, idle',
        demanded: `< ${residentMbMax} MB`,
        measured: `${idleMb.toFixed(0)} MB (after the load ${loadedMb.toFixed(0)} MB)`,
        met: idleMb < residentMbMax,
      },
      {
        what: 'everything in one process, start to ready',
        demanded: `< ${readyMsMax} ms`,
        measured: `${readyMs.toFixed(0)} ms`,
        met: readyMs < readyMsMax,
      },
    ],
  }
}

const toMeasurement = (name: string, runs: readonly Run[]): Measurement => ({
  bench: 'orders',
  case: name,
  unit: 'orders/s',
  ...spread(runs.map(run => run.perSecond)),
  p50: median(runs.map(run => run.p50)),
  p99: median(runs.map(run => run.p99)),
  notes: Object.fromEntries(
    measured.map(who => [`${who}Cores`, Number(median(runs.map(run => run.cpuShare[who])).toFixed(2))]),
  ),
})
