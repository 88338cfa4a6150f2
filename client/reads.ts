import type { Static } from '@sinclair/typebox'
import type { CommandBody, StoryBody } from '../edge/command-view.ts'
import type { BreakerOrder, Breakers } from '../edge/routes/breakers.ts'
import type { Invariants } from '../edge/routes/ops.ts'
import type { Account, Login, Refresh, Registration, Tokens } from '../queues/accounts.ts'
import type { Case, CasePage, OrderSaga } from '../queues/cases.ts'
import type { PricePage, Product, ProductFilter, ProductPage } from '../queues/catalog.ts'
import type { Discount, DiscountPage } from '../queues/discounts.ts'
import type { TicketPage, TicketState } from '../queues/kitchen.ts'
import type { Reconciliation, StoreStatement, TransferPage, TrialBalance } from '../queues/ledger.ts'
import type { Conversion, Upload } from '../queues/media.ts'
import type { Order, OrderPage, Quote } from '../queues/order-views.ts'
import type { Payment, PaymentPage } from '../queues/payments.ts'
import type { TableRates } from '../queues/rates.ts'
import type { Shipment, ShipmentList } from '../queues/shipments.ts'
import type { Store, StoreFilter, StorePage } from '../queues/stores.ts'
import { ApiProblem, jsonOf, problemOf, type Send } from './transport.ts'

export interface PageOptions {
  /** Items, at most a hundred; twenty unless said. */
  readonly limit?: number
  /** `nextCursor` of the page before. */
  readonly cursor?: string
}

/** What is no command: reads, sessions, and the bytes of media. Each throws an ApiProblem for a no. */
export function readsOf(send: Send) {
  const get = async <T>(path: string, query: object = {}): Promise<T> =>
    jsonOf<T>(await send({ method: 'GET', path: `${path}${queryOf(query)}`, repeatable: true }))
  const post = async <T>(path: string, body: unknown): Promise<T> =>
    jsonOf<T>(
      await send({
        method: 'POST',
        path,
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
        repeatable: false,
      }),
    )
  return {
    accounts: {
      register: (registration: Static<typeof Registration>) => post<Account>('/v1/accounts', registration),
      get: (id: string) => get<Account>(`/v1/accounts/${segment(id)}`),
    },
    sessions: {
      login: (login: Static<typeof Login>) => post<Tokens>('/v1/sessions', login),
      refresh: (refresh: Static<typeof Refresh>) => post<Tokens>('/v1/sessions/refresh', refresh),
    },
    catalog: {
      listProducts: (filter?: PageOptions & ProductFilter) =>
        get<Static<typeof ProductPage>>('/v1/products', filter),
      getProduct: (id: string) => get<Product>(`/v1/products/${segment(id)}`),
      /** Every price that the product had, newest first. */
      listPrices: (id: string, page?: PageOptions) =>
        get<Static<typeof PricePage>>(`/v1/products/${segment(id)}/prices`, page),
      listStores: (filter?: PageOptions & StoreFilter) => get<Static<typeof StorePage>>('/v1/stores', filter),
      getStore: (id: string) => get<Store>(`/v1/stores/${segment(id)}`),
    },
    orders: {
      list: (page?: PageOptions) => get<Static<typeof OrderPage>>('/v1/orders', page),
      get: (id: string) => get<Order>(`/v1/orders/${segment(id)}`),
      /** What a store has to do, the oldest first; its paid orders, unless said. For merchants. */
      listOfStore: (
        storeId: string,
        filter?: PageOptions & { readonly state?: 'paid' | 'fulfilling' | 'return_requested' },
      ) => get<Static<typeof OrderPage>>(`/v1/stores/${segment(storeId)}/orders`, filter),
      getQuote: (id: string) => get<Quote>(`/v1/quotes/${segment(id)}`),
      /** For merchants. */
      listDiscounts: (page?: PageOptions) => get<Static<typeof DiscountPage>>('/v1/discounts', page),
      getDiscount: (code: string) => get<Discount>(`/v1/discounts/${segment(code)}`),
    },
    /** What a person has to look at, for operators. */
    cases: {
      list: (
        filter?: PageOptions & {
          readonly state?: Case['state']
          readonly kind?: Case['kind']
          readonly orderId?: string
        },
      ) => get<Static<typeof CasePage>>('/v1/ops/cases', filter),
      get: (id: string) => get<Case>(`/v1/ops/cases/${segment(id)}`),
      /** How far an order has come, forward or back. */
      saga: (orderId: string) => get<OrderSaga>(`/v1/orders/${segment(orderId)}/saga`),
    },
    /** The whole, for operators. */
    ops: {
      /** Whether everything that began in the last hours holds; of a day, unless said. */
      invariants: (hours?: number) => get<Invariants>('/v1/ops/invariants', { hours }),
      breakers: () => get<Breakers>('/v1/ops/breakers'),
      openBreaker: (name: string, because: string) =>
        post<BreakerOrder>(`/v1/ops/breakers/${segment(name)}/open`, { because }),
      resetBreaker: (name: string) => post<BreakerOrder>(`/v1/ops/breakers/${segment(name)}/reset`, {}),
    },
    payments: {
      list: (filter?: PageOptions & { readonly orderId?: string }) =>
        get<Static<typeof PaymentPage>>('/v1/payments', filter),
      get: (id: string) => get<Payment>(`/v1/payments/${segment(id)}`),
    },
    /** The books, for operators. */
    ledger: {
      trialBalance: () => get<TrialBalance>('/v1/ledger/trial-balance'),
      /** The statement of one account, such as `sales`. */
      listTransfers: (account: string, page?: PageOptions) =>
        get<Static<typeof TransferPage>>(`/v1/ledger/accounts/${segment(account)}/transfers`, page),
      /** What differs among so many payments; `cursor` goes on with older ones. */
      reconcile: (page?: Pick<PageOptions, 'cursor'>) =>
        get<Reconciliation>('/v1/ledger/reconciliation', page),
      /** What a store sold in one currency, and what is owed to it now. */
      storeStatement: (storeId: string, currency: string) =>
        get<StoreStatement>(`/v1/stores/${segment(storeId)}/statement`, { currency }),
    },
    shipping: {
      /** The parcels of an order. */
      listShipments: (orderId: string) =>
        get<Static<typeof ShipmentList>>(`/v1/orders/${segment(orderId)}/shipments`),
      getShipment: (id: string) => get<Shipment>(`/v1/shipments/${segment(id)}`),
      getTableRates: (storeId: string) => get<TableRates>(`/v1/stores/${segment(storeId)}/shipping-rates`),
      /** The tickets of a kitchen, the oldest first. */
      listTickets: (filter: PageOptions & { readonly storeId: string; readonly state?: TicketState }) =>
        get<Static<typeof TicketPage>>('/v1/kitchen/tickets', filter),
    },
    media: {
      /** Sends the bytes of a video or sound. */
      upload: async (bytes: Blob | Uint8Array<ArrayBuffer>, contentType = 'application/octet-stream') =>
        jsonOf<Upload>(
          await send({
            method: 'POST',
            path: '/v1/media/uploads',
            headers: { 'content-type': contentType },
            body: bytes,
            repeatable: false,
          }),
        ),
      getConversion: (id: string) => get<Conversion>(`/v1/media/conversions/${segment(id)}`),
      /** The mp3 as it comes; `range` asks for some of its bytes, such as `bytes=0-1023`. */
      download: async (id: string, range?: string): Promise<Response> => {
        const headers = range === undefined ? {} : { range }
        const path = `/v1/media/conversions/${segment(id)}/file`
        const answer = await send({ method: 'GET', path, headers, repeatable: true })
        if (answer.ok) return answer
        throw new ApiProblem(await problemOf(answer))
      },
    },
    commands: {
      get: (id: string) => get<CommandBody>(`/v1/commands/${segment(id)}`),
      /** Everything that came of a command. */
      story: (id: string) => get<StoryBody>(`/v1/commands/${segment(id)}/story`),
    },
  }
}

const segment = encodeURIComponent

function queryOf(query: object): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined)
  return given.length === 0
    ? ''
    : `?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}`
}
