import { type TSchema, Type } from '@sinclair/typebox'
import { TypeCompiler } from '@sinclair/typebox/compiler'
import { Refused } from './book.ts'

const amountMinor = Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER })
const closed = { additionalProperties: false }

const read = <S extends TSchema>(schema: S) => {
  const check = TypeCompiler.Compile(schema)
  return async (request: Request) => {
    const body: unknown = await request.json().catch(() => null)
    if (check.Check(body)) return body
    const error = check.Errors(body).First()
    throw new Refused(400, 'malformed', `${error?.path || 'the body'}: ${error?.message}`)
  }
}

/** Bodies of requests; each throws `Refused` for what is not right. */
export const readCharge = read(
  Type.Object(
    {
      amountMinor,
      currency: Type.String({ pattern: '^[A-Z]{3}$' }),
      paymentMethod: Type.String({ minLength: 1, maxLength: 100 }),
      capture: Type.Union([Type.Literal('automatic'), Type.Literal('manual')]),
    },
    closed,
  ),
)
export const readCapture = read(Type.Object({ amountMinor, isFinal: Type.Boolean() }, closed))
export const readVoid = read(Type.Object({}, closed))
export const readRefund = read(Type.Object({ amountMinor }, closed))
export const readDispute = read(
  Type.Object(
    { amountMinor: Type.Optional(amountMinor), reason: Type.Optional(Type.String({ maxLength: 100 })) },
    closed,
  ),
)
export const readVerdict = read(
  Type.Object(
    { status: Type.Union([Type.Literal('under_review'), Type.Literal('won'), Type.Literal('lost')]) },
    closed,
  ),
)

/** The key of an operation: the same in every repeat of it. */
export function keyOf(request: Request): string {
  const key = request.headers.get('idempotency-key')
  if (key !== null && /^[\x21-\x7e]{1,255}$/.test(key)) return key
  throw new Refused(400, 'key_missing', 'an Idempotency-Key of 1 to 255 characters is needed')
}
