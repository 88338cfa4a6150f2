import type { Sql } from '../../db/client.ts'
import { isCountry } from '../../queues/countries.ts'
import { done, follow, type Handlers, rejected } from '../../queues/outcome.ts'
import { forgetRates } from '../../queues/rates.ts'
import type { shipping } from '../../queues/shipping.ts'
import type { RateRequest } from './carrier.ts'
import type { CarrierAtWork, Carriers } from './carriers.ts'
import * as store from './rate-store.ts'
import { type Asked, basketOf, ratesOf, wrongInTable } from './rates.ts'

/** How long an offer holds. */
const rateTtlMs = 30 * 60_000
/** Rates that one run of the clock deletes; the rest follow at once. */
const forgottenMax = 500

export interface RateDeps {
  readonly sql: Sql
  readonly carriers: Carriers
  /** UUIDv7. */
  readonly newId: () => string
}

type RateHandlers = Pick<
  Handlers<typeof shipping>,
  'shipping.set-table-rates' | 'shipping.find-rates' | 'shipping.forget-rates'
>

export const rateHandlers = ({ sql, carriers, newId }: RateDeps): RateHandlers => ({
  'shipping.set-table-rates': async ({ input: { storeId, services }, now }) => {
    const fields = wrongInTable(services, [...carriers.keys()])
    if (fields.length > 0) return rejected('rates_invalid', { fields })
    return async tx =>
      (await store.writeTable(tx, { storeId, services, at: now }))
        ? done({ storeId, services: services.length })
        : rejected('store_not_found')
  },

  'shipping.find-rates': async ({ id, input, actor, now, signal }) => {
    if (!actor) throw new Error('rates are for somebody')
    const { destination } = input
    if (!isCountry(destination.country)) return noAddress('country', 'No country of ISO 3166-1.')
    const basket = basketOf(await store.readOffered(sql, input.lines))
    if (basket.kind === 'rejected') return basket
    const [table, asked] = await Promise.all([
      store.readTable(sql, basket.storeId),
      askAll(carriers, { ...basket, destination }, signal),
    ])
    const rates = ratesOf(asked, table ?? [], basket, destination)
    if (rates.length === 0) return refuse(asked)
    return async tx => {
      const kept = await store.keepRates(tx, {
        requestId: id,
        customerId: actor.id,
        basket,
        destination,
        expiresAt: new Date(now.getTime() + rateTtlMs),
        rates: rates.map(rate => ({ ...rate, id: newId() })),
      })
      const { storeId, lines, weightG } = basket
      return done({ storeId, lines: [...lines], weightG, rates: [...kept] })
    }
  },

  'shipping.forget-rates': async () => async tx => {
    const rates = await store.forgetRates(tx, forgottenMax)
    return done({ rates }, { follow: rates === forgottenMax ? [follow(forgetRates, {})] : [] })
  },
})

/** All carriers at the same time: the slowest that answers in time is waited for, and no other. */
const askAll = (carriers: Carriers, request: RateRequest, signal: AbortSignal): Promise<Asked[]> =>
  Promise.all([...carriers.values()].map(each => askOne(each, request, signal)))

async function askOne(
  { carrier, ask }: CarrierAtWork,
  request: RateRequest,
  signal: AbortSignal,
): Promise<Asked> {
  try {
    const reply = await ask(callSignal => carrier.rates(request, callSignal), signal)
    return { carrier: carrier.name, answer: reply.kind === 'answer' ? reply.answer : null }
  } catch {
    signal.throwIfAborted()
    return { carrier: carrier.name, answer: null } // it did not understand us: what it costs stands in the table
  }
}

function refuse(asked: readonly Asked[]) {
  for (const { answer } of asked)
    if (answer?.kind === 'no_address') return noAddress('postalCode', answer.because)
  return rejected('no_rates')
}

const noAddress = (field: string, detail: string) =>
  rejected('destination_invalid', { fields: [{ pointer: `#/destination/${field}`, detail }] })
