import type { RefusalOf } from '../../queues/command.ts'
import { isCountry } from '../../queues/countries.ts'
import type { Address } from '../../queues/fulfilment.ts'
import { type Rejected, rejected } from '../../queues/outcome.ts'
import type { findRates, TableService } from '../../queues/rates.ts'
import type { CarrierRate, RatesAnswer } from './carrier.ts'

export interface FieldError {
  readonly pointer: string
  readonly detail: string
}

/** What is wrong with a table of rates: nothing, if it can be kept. `carriers` are those at work. */
export function wrongInTable(
  services: readonly TableService[],
  carriers: readonly string[],
): readonly FieldError[] {
  const names = services.map(nameOf)
  return services.flatMap((each, at) => {
    const wrong = (field: string, detail: string): FieldError => ({
      pointer: `#/services/${at}/${field}`,
      detail,
    })
    return [
      ...(carriers.includes(carrierOf(each))
        ? []
        : [wrong('carrier', `Expected one of ${carriers.join(', ')}.`)]),
      ...(names.indexOf(nameOf(each)) === at ? [] : [wrong('name', 'The carrier has two services of it.')]),
      ...each.countries.flatMap((country, number) =>
        country === '*' || isCountry(country)
          ? []
          : [wrong(`countries/${number}`, 'No country of ISO 3166-1.')],
      ),
      ...each.bands.flatMap(({ upToG }, number) =>
        upToG > (each.bands[number - 1]?.upToG ?? 0)
          ? []
          : [wrong(`bands/${number}/upToG`, 'Expected more than the band before.')],
      ),
    ]
  })
}

const carrierOf = ({ carrier = 'manual' }: TableService): string => carrier
const nameOf = (service: TableService): string => `${carrierOf(service)} ${service.name}`

/** A product of the basket as the catalog offers it; null where it is not sold. */
export interface Offered {
  readonly sku: string
  readonly quantity: number
  readonly unitPriceMinor: number | null
  readonly currency: string | null
  readonly storeId: string | null
  readonly weightG: number | null
  /** Where the store is. */
  readonly country: string | null
}

export interface Basket {
  readonly kind: 'basket'
  readonly storeId: string
  readonly from: { readonly country: string } | null
  readonly lines: readonly { readonly sku: string; readonly quantity: number }[]
  readonly goodsMinor: number
  readonly currency: string
  readonly weightG: number
}

/** What is to be sent, or why it cannot be sent as one parcel. */
export function basketOf(offered: readonly Offered[]): Basket | Rejected<RefusalOf<typeof findRates>> {
  const skus = offered.filter(each => each.storeId === null).map(each => each.sku)
  if (skus.length > 0) return rejected('unknown_product', { skus })
  const storeIds = [...new Set(offered.map(each => String(each.storeId)))].sort()
  const [storeId = '', ...others] = storeIds
  if (others.length > 0) return rejected('several_stores', { storeIds })
  const currencies = [...new Set(offered.map(each => String(each.currency)))].sort()
  const [currency = '', ...more] = currencies
  if (more.length > 0) return rejected('mixed_currencies', { currencies })
  const country = offered[0]?.country ?? null
  return {
    kind: 'basket',
    storeId,
    currency,
    from: country === null ? null : { country },
    lines: offered.map(({ sku, quantity }) => ({ sku, quantity })),
    goodsMinor: sumOf(offered.map(each => (each.unitPriceMinor ?? 0) * each.quantity)),
    weightG: sumOf(offered.map(each => (each.weightG ?? 0) * each.quantity)),
  }
}

const sumOf = (parts: readonly number[]): number => parts.reduce((sum, part) => sum + part, 0)

/** A rate that can be offered. */
export interface Found extends CarrierRate {
  readonly carrier: string
  readonly source: 'carrier' | 'table'
}

/** What a carrier said; null if it did not answer. */
export interface Asked {
  readonly carrier: string
  readonly answer: RatesAnswer | null
}

/** All that can be offered, the cheapest first; of a carrier without an answer or without prices, what the table says. */
export const ratesOf = (
  asked: readonly Asked[],
  table: readonly TableService[],
  basket: Basket,
  { country }: Pick<Address, 'country'>,
): readonly Found[] =>
  asked
    .flatMap(({ carrier, answer }): Found[] => {
      if (answer?.kind === 'no_address') return []
      if (answer?.kind === 'rates')
        return answer.rates
          .filter(({ currency }) => currency === basket.currency)
          .map(rate => ({ ...rate, carrier, source: 'carrier' }))
      return table
        .filter(each => carrierOf(each) === carrier)
        .flatMap(each => fromTable(each, basket, country) ?? [])
        .map(rate => ({ ...rate, carrier, source: 'table' }))
    })
    .sort((one, other) => one.amountMinor - other.amountMinor || one.etaDays - other.etaDays)

/** What the service costs this basket; null if it does not take it there. */
function fromTable(service: TableService, basket: Basket, country: string): CarrierRate | null {
  const { name, countries, bands, currency, etaDays, freeFromMinor = null } = service
  const band = bands.find(({ upToG }) => basket.weightG <= upToG)
  const goes = countries.includes('*') || countries.includes(country)
  if (!goes || !band || currency !== basket.currency) return null
  const isFree = freeFromMinor !== null && basket.goodsMinor >= freeFromMinor
  return { service: name, amountMinor: isFree ? 0 : band.amountMinor, currency, etaDays }
}
