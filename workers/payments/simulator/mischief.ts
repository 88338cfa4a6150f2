import { type Static, Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { Refused } from './book.ts'
import type { Mishap } from './cards.ts'

export const operations = ['charge', 'capture', 'void', 'refund', 'find', 'any'] as const
export const callMishaps = [
  'silent_before',
  'silent_after',
  'cut_before',
  'cut_after',
  'error_before',
  'error_after',
  'slow',
] as const satisfies readonly Mishap[]
export const webhookMishaps = [
  'duplicate',
  'reorder',
  'delay',
  'lose',
  'bad_signature',
  'old_timestamp',
] as const
export type WebhookMishap = (typeof webhookMishaps)[number]
export type Operation = Exclude<(typeof operations)[number], 'any'>

const literals = <const T extends readonly string[]>(values: T) =>
  Type.Union(values.map(value => Type.Literal(value as T[number])))
const times = Type.Integer({ minimum: 1, maximum: 1_000_000, default: 1 })
const delayMs = Type.Integer({ minimum: 0, maximum: 600_000, default: 1_000 })
const closed = { additionalProperties: false }

/** The next `times` answers to an operation, or the next webhooks, go wrong in this way. */
const Order = Type.Union([
  Type.Object({ operation: literals(operations), how: literals(callMishaps), times, delayMs }, closed),
  Type.Object({ operation: Type.Literal('webhook'), how: literals(webhookMishaps), times, delayMs }, closed),
])
export type MischiefOrder = Static<typeof Order>
export type Ordered<How> = { readonly how: How; readonly delayMs: number }

export type Mischief = ReturnType<typeof createMischief>

/** What is to go wrong, in the order in which it was asked for. */
export function createMischief() {
  const orders: (MischiefOrder & { times: number })[] = []
  const take = (applies: (order: MischiefOrder) => boolean): MischiefOrder | null => {
    const at = orders.findIndex(applies)
    const order = orders[at]
    if (!order) return null
    order.times--
    if (order.times === 0) orders.splice(at, 1)
    return order
  }
  return {
    /** Throws `Refused` for what nobody can make go wrong. */
    order: (body: unknown): MischiefOrder => {
      const order = Value.Default(Order, body)
      if (!Value.Check(Order, order)) {
        const error = Value.Errors(Order, order).First()
        throw new Refused(400, 'malformed', `${error?.path || 'the body'}: ${error?.message}`)
      }
      orders.push({ ...order })
      return order
    },
    waiting: (): readonly MischiefOrder[] => orders,
    clear: (): void => void orders.splice(0),
    nextCall: (operation: Operation): Ordered<Mishap> | null =>
      orders.length === 0
        ? null
        : (take(each => each.operation === operation || each.operation === 'any') as Ordered<Mishap> | null),
    nextWebhook: (): Ordered<WebhookMishap> | null =>
      orders.length === 0
        ? null
        : (take(each => each.operation === 'webhook') as Ordered<WebhookMishap> | null),
  }
}
