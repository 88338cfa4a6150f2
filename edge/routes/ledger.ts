import { treaty } from '@elysiajs/eden/treaty2'
import { Type } from '@sinclair/typebox'
import { Account, Reconciliation, TransferNumber, TransferPage, TrialBalance } from '../../queues/payments.ts'
import { closed } from '../../queues/schemas.ts'
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

/** The books, for operators. */
export function mountLedger(mount: Mount, upstream: Upstream): void {
  const { ledger } = treaty<PaymentsRoutes>(...edenOf(upstream))
  const trialBalance = answersOf(TrialBalance)
  const transfers = answersOf(TransferPage)
  const reconciliation = answersOf(Reconciliation)

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
