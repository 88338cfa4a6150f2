import { v7 as uuidv7 } from 'uuid'
import type { Sql } from '../../db/client.ts'
import type { InputOf } from '../../queues/command.ts'
import type { Address } from '../../queues/fulfilment.ts'
import type { createShipment } from '../../queues/shipments.ts'
import { type TestKernel, testKernel } from '../../test/harness.ts'
import { carryOut, jobOf } from '../../test/trade.ts'
import { createAsk } from '../runtime/ask.ts'
import type { ServiceModule } from '../runtime/service.ts'
import type { Carrier } from './carrier.ts'
import { manual } from './carriers/manual.ts'
import { createSimulated } from './carriers/simulator.ts'
import { handlers } from './commands.ts'
import { shippingService } from './index.ts'
import { type Simulator, startSimulator } from './simulator/server.ts'

export const secret = 'a secret for tests'
/** Long for a machine of this world, and short for whoever waits for a carrier that stays silent. */
const timeoutMs = 400

export interface ShippingWorld {
  readonly kernel: TestKernel
  /** Connections under the role of the service. */
  readonly sql: Sql
  readonly simulator: Simulator
  /** The handlers with carriers that misbehave as the test says, asked again at once. */
  readonly at: (misbehave?: (carrier: Carrier) => Partial<Carrier>) => ReturnType<typeof handlers>
  /** Tells the simulator something. */
  readonly control: (path: string, body: object) => Promise<Record<string, unknown>>
  readonly stop: () => Promise<void>
}

/** Shipping at work with a simulated carrier; other services beside it, where they are given. */
export async function openShipping({
  webhookUrl,
  services = [shippingService],
}: {
  readonly webhookUrl?: string
  readonly services?: readonly ServiceModule[]
} = {}): Promise<ShippingWorld> {
  const simulator = startSimulator({
    port: 0,
    secret,
    silentMs: 5_000,
    slowMs: 50,
    ...(webhookUrl !== undefined && { webhookUrl }),
  })
  const kernel = await testKernel({
    services,
    env: {
      CARRIERS: 'manual,simulator',
      CARRIER_TIMEOUT_MS: String(timeoutMs),
      CARRIER_INQUIRIES_MS: '20,50,100,200,400,400,400',
      CARRIER_SIMULATOR_URL: simulator.url,
      CARRIER_SIMULATOR_SECRET: secret,
    },
  })
  const sql = kernel.database.sql('shipping')
  const simulated = createSimulated({ url: simulator.url, secret })
  return {
    kernel,
    sql,
    simulator,
    at: (misbehave = () => ({})) =>
      handlers({
        sql,
        newId: () => uuidv7(),
        inquiriesMs: [1, 1, 1],
        carriers: new Map(
          [manual, { ...simulated, ...misbehave(simulated) }].map(carrier => [
            carrier.name,
            { carrier, ask: createAsk({ name: carrier.name, timeoutMs }) },
          ]),
        ),
      }),
    control: async (path, body) => {
      const answer = await fetch(`${simulator.url}/control/${path}`, {
        method: 'POST',
        body: JSON.stringify(body),
      })
      if (!answer.ok) throw new Error(`the simulator answered ${answer.status}`)
      return (await answer.json()) as Record<string, unknown>
    },
    stop: async () => {
      await kernel.stop()
      await simulator.stop()
    },
  }
}

export const address = (given: Partial<Address> = {}): Address => ({
  name: 'Some Buyer',
  line1: 'Hauptstr. 1',
  city: 'Berlin',
  postalCode: '10115',
  country: 'DE',
  ...given,
})

/** Every row of the service, to see that nothing changed. */
export async function dumpShipping(sql: Sql): Promise<unknown> {
  const tables = await sql<{ name: string }[]>`
    select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname = 'shipping' order by 1`
  return await Promise.all(
    tables.map(({ name }) => sql`select to_jsonb(t)::text as row from ${sql(name)} t order by 1`),
  )
}

/** A shipment as orders ask for it. */
export const wanted = (postalCode = '10115', carrier = 'simulator'): InputOf<typeof createShipment> => ({
  shipmentId: uuidv7(),
  orderId: uuidv7(),
  storeId: uuidv7(),
  customerId: uuidv7(),
  lines: [{ sku: 'TEA', quantity: 2 }],
  destination: address({ postalCode }),
  rate: { rateId: uuidv7(), carrier, service: 'Economy' },
})

export async function shipmentRow(sql: Sql, id: string): Promise<Record<string, unknown>> {
  const [row] = await sql`select * from shipping.shipments where id = ${id}`
  return { ...row }
}

/** A parcel with its label, at this carrier. */
export async function labelledAt({ sql, at }: ShippingWorld, carrier = 'simulator') {
  const input = wanted('10115', carrier)
  await carryOut(sql, await at()['shipping.create-shipment'](jobOf<typeof createShipment>(input)))
  const { tracking_number: trackingNumber } = await shipmentRow(sql, input.shipmentId)
  return { ...input, trackingNumber: String(trackingNumber) }
}
