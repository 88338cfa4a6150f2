// What a person has to look at: opened with what it tells of, once per cause, never dropped.
import { type Static, Type } from '@sinclair/typebox'
import { command } from './command.ts'
import { retry } from './retry.ts'
import { closed, Id, Instant, lineOfText, oneOf, pageOf } from './schemas.ts'

export const caseKinds = [
  'late_payment',
  'authorization_lost',
  'capture_failed',
  'refund_failed',
  'dispute',
  'shipment_returned',
  'shipment_lost',
  'dead_command',
  'charge_unanswered',
  'money_not_returned',
  'capture_unanswered',
] as const
export type CaseKind = (typeof caseKinds)[number]
export const CaseKind = oneOf(caseKinds, 'What happened.')
export const CaseState = oneOf(['open', 'resolved'], 'Whether somebody has looked at it.')

export const Case = Type.Object(
  {
    id: Id,
    kind: CaseKind,
    cause: Type.Unsafe<string>({
      ...Id,
      description:
        'The payment, command, refund, dispute, shipment or order that it is about: one case each.',
    }),
    orderId: Id,
    paymentId: Type.Union([Id, Type.Null()]),
    detail: Type.Record(Type.String(), Type.Unknown(), { description: 'What is known of it, by kind.' }),
    state: CaseState,
    openedAt: Instant,
    resolvedAt: Type.Union([Instant, Type.Null()]),
    resolvedBy: Type.Union([Type.String(), Type.Null()], { description: 'The operator, by account.' }),
    resolution: Type.Union([Type.String(), Type.Null()], { description: 'Why it is resolved.' }),
  },
  { ...closed, $id: 'Case' },
)
export type Case = Static<typeof Case>
export const CasePage = pageOf(Case)

export const resolveCase = command('orders.resolve-case', {
  summary: 'Close a case, with the reason.',
  http: { method: 'POST', path: '/v1/ops/cases/{caseId}/resolve', scope: 'ops:edit' },
  input: Type.Object({ caseId: Id, reason: lineOfText(500, 'What was done about it.') }, closed),
  output: Type.Object({ caseId: Id, state: CaseState }, closed),
  refusals: {
    case_not_found: { status: 404, title: 'There is no such case.' },
    case_resolved: { status: 409, title: 'The case was resolved before.' },
  },
  retry: retry.standard,
  timeoutMs: 10_000,
})

export const findStuck = command('orders.find-stuck', {
  summary:
    'Open a case for every dead command of an order, and for orders that stand still longer than they may.',
  everyMs: 60_000,
  input: Type.Object({}, closed),
  output: Type.Object({ opened: Type.Integer({ minimum: 0, description: 'Cases opened now.' }) }, closed),
  refusals: {},
  retry: retry.standard,
  timeoutMs: 30_000,
})

/** The steps of an order's saga, in order: each with what carries it out, and what takes it back. */
export const sagaSteps = [
  'reserve',
  'authorize',
  'confirm',
  'commit_stock',
  'capture',
  'fulfil',
  'notify',
] as const
export const OrderSaga = Type.Object(
  {
    orderId: Id,
    direction: oneOf(
      ['forward', 'back', 'ended'],
      '`back`: what was done is being taken back; only ever before anything was handed over.',
    ),
    steps: Type.Array(
      Type.Object(
        {
          name: oneOf(sagaSteps, 'What is done.'),
          do: Type.Array(Type.String(), { description: 'The commands that do it: the first that comes.' }),
          undo: Type.Array(Type.String(), { description: 'The commands that take it back.' }),
          pivot: Type.Boolean({
            description:
              'Once it is done the order goes forward, unless somebody decides otherwise before anything is handed over.',
          }),
          state: oneOf(
            ['waiting', 'done', 'undoing', 'undone'],
            'Where the step stands; `undone`: taken back, or not needed any more. `notify` is done when the mail is asked for.',
          ),
        },
        closed,
      ),
    ),
    cases: Type.Array(Case, { description: 'What a person has to look at, or had to.' }),
  },
  { ...closed, $id: 'OrderSaga' },
)
export type OrderSaga = Static<typeof OrderSaga>
