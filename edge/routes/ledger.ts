import { treaty } from '@elysiajs/eden/treaty2'
import { Type } from '@sinclair/typebox'
import {
  Account,
  Reconciliation,
  StoreStatement,
  TransferNumber,
  TransferPage,
  TrialBalance,
} from '../../queues/ledger.ts'
import { Currency, closed, Id } from '../../queues/schemas.ts'
import type { PaymentsRoutes } from '../../workers/payments/routes.ts'
import type { Mount } from '../operation.ts'
import { PageParameters } from '../page.ts'
import { answersOf, edenOf, onBehalfOf, type Upstream, unstored } from '../upstream.ts'

const TransferParameters = Type.Object(
  {
    limit: PageParameters.properties.limit,
    cursor: Type.Optional({ ...TransferNumber, description: '`nextCursor` of the page before.' }),
  },
  closed,
)

/** The books, for operators; the statement of a store for merchants, too. */
export function mountLedger(mount: Mount, upstream: Upstream): void {
  const { ledger, stores } = treaty<PaymentsRoutes>(...edenOf(upstream))
  const trialBalance = answersOf(TrialBalance)
  const transfers = answersOf(TransferPage)
  const reconciliation = answersOf(Reconciliation)
  const statement = answersOf(StoreStatement)

  mount(
    {
      id: 'ledger.trial-balance',
      method: 'GET',
      path: '/v1/ledger/trial-balance',
      tag: 'payments',
      summary: 'What every account of the ledger holds, per currency; debits and credits are equal.',
      access: 'ops:read',
      answers: { 200: { description: 'The trial balance of this moment.', schema: TrialBalance } },
      problems: ['upstream_unavailable'],
    },
    async ({ c, actor }) =>
      Response.json(await trialBalance(ledger['trial-balance'].get(onBehalfOf(c, actor))), unstored),
  )
  mount(
    {
      id: 'ledger.list-transfers',
      method: 'GET',
      path: '/v1/ledger/accounts/{account}/transfers',
      tag: 'payments',
      summary: 'The statement of one account, newest first.',
      access: 'ops:read',
      params: Type.Object({ account: Account }),
      query: TransferParameters,
      answers: { 200: { description: 'One page.', schema: TransferPage } },
      problems: ['not_found', 'upstream_unavailable'],
    },
    async ({ c, actor, params, query }) =>
      Response.json(
        await transfers(ledger.accounts(params).transfers.get({ query, ...onBehalfOf(c, actor) })),
        unstored,
      ),
  )
  mount(
    {
      id: 'ledger.store-statement',
      method: 'GET',
      path: '/v1/stores/{storeId}/statement',
      tag: 'payments',
      summary: 'What a store sold in one currency, and what is owed to it now.',
      access: 'ledger:read',
      params: Type.Object({ storeId: Id }),
      query: Type.Object({ currency: Currency }, closed),
      answers: { 200: { description: 'The statement of this moment.', schema: StoreStatement } },
      problems: ['upstream_unavailable'],
    },
    async ({ c, actor, params, query }) =>
      Response.json(
        await statement(stores({ id: params.storeId }).statement.get({ query, ...onBehalfOf(c, actor) })),
        unstored,
      ),
  )
  mount(
    {
      id: 'ledger.reconcile',
      method: 'GET',
      path: '/v1/ledger/reconciliation',
      tag: 'payments',
      summary: 'Payments whose captured or refunded sums are not what the ledger says, newest first.',
      access: 'ops:read',
      query: Type.Object({ cursor: PageParameters.properties.cursor }, closed),
      answers: { 200: { description: 'What was found among so many payments.', schema: Reconciliation } },
      problems: ['upstream_unavailable'],
    },
    async ({ c, actor, query }) =>
      Response.json(
        await reconciliation(ledger.reconciliation.get({ query, ...onBehalfOf(c, actor) })),
        unstored,
      ),
  )
}
