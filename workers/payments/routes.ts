import { Type } from '@sinclair/typebox'
import { Elysia } from 'elysia'
import type { Sql } from '../../db/client.ts'
import {
  Account,
  Reconciliation,
  StoreStatement,
  TransferNumber,
  TransferPage,
  TrialBalance,
} from '../../queues/ledger.ts'
import { Payment, PaymentPage } from '../../queues/payments.ts'
import { Currency, closed, Id } from '../../queues/schemas.ts'
import { ActorHeaders, NotFound, notFound } from '../runtime/http.ts'
import { PageById, rangeOf, toPage } from '../runtime/page.ts'
import { readerOf, Sight } from '../runtime/reader.ts'
import { listTransfers, readBalances, reconcile } from './ledger.ts'
import { trialBalanceOf } from './posting.ts'
import { readStatement } from './statements.ts'
import { listPayments, readPayment } from './store.ts'
import type { TakeEvent } from './webhooks.ts'

const PaymentQuery = Type.Object({
  ...PageById.properties,
  ...Sight.properties,
  orderId: Type.Optional(Id),
})
const TransferQuery = Type.Object({ ...PageById.properties, cursor: Type.Optional(TransferNumber) })
/** Payments that one answer compares with the ledger. */
const reconcileMax = 2_000

const Kept = Type.Object({ kept: Type.Literal(true) }, closed)
const BadSignature = Type.Object({ code: Type.Literal('bad_signature') }, closed)

/**
 * A customer's own payments: anybody else's do not exist for them, but for those who move money by hand. The ledger:
 * whom the edge lets read it. Webhooks: who can sign.
 */
export const routes = (sql: Sql, takeEvent: TakeEvent) =>
  new Elysia()
    .post(
      '/webhooks/:provider',
      async ({ params, request, status }) => {
        const raw = new Uint8Array(await request.arrayBuffer())
        const answer = await takeEvent(params.provider, raw, request.headers)
        if (answer === 'no_provider') return status(404, notFound)
        if (answer === 'bad_signature') return status(400, { code: answer })
        return { kept: true } as const
      },
      {
        // What is signed are the bytes as they came.
        parse: 'none',
        params: Type.Object({ provider: Type.String({ maxLength: 32 }) }),
        response: { 200: Kept, 400: BadSignature, 404: NotFound },
      },
    )
    .get(
      '/payments',
      async ({ query, headers }) => {
        const { orderId = null, all = false } = query
        // Everybody's are shown of one order at a time.
        const reader = readerOf(headers, { all: all && orderId !== null })
        return toPage(await listPayments(sql, { reader, orderId, ...rangeOf(query) }), query)
      },
      { query: PaymentQuery, headers: ActorHeaders, response: { 200: PaymentPage } },
    )
    .get(
      '/payments/:id',
      async ({ params, query, headers, status }) =>
        (await readPayment(sql, params.id, readerOf(headers, query))) ?? status(404, notFound),
      {
        params: Type.Object({ id: Id }),
        query: Sight,
        headers: ActorHeaders,
        response: { 200: Payment, 404: NotFound },
      },
    )
    .get('/ledger/trial-balance', async () => trialBalanceOf(await readBalances(sql)), {
      response: { 200: TrialBalance },
    })
    .get(
      '/ledger/accounts/:account/transfers',
      async ({ params: { account }, query }) =>
        toPage(await listTransfers(sql, { account, ...rangeOf(query) }), query),
      {
        params: Type.Object({ account: Account }),
        query: TransferQuery,
        response: { 200: TransferPage },
      },
    )
    .get('/stores/:id/statement', ({ params, query }) => readStatement(sql, params.id, query.currency), {
      params: Type.Object({ id: Id }),
      query: Type.Object({ currency: Currency }),
      response: { 200: StoreStatement },
    })
    .get(
      '/ledger/reconciliation',
      async ({ query }) => reconcile(sql, { cursor: query.cursor ?? null, limit: reconcileMax }),
      {
        query: Type.Object({ cursor: PageById.properties.cursor }),
        response: { 200: Reconciliation },
      },
    )

export type PaymentsRoutes = ReturnType<typeof routes>
