import { FormatRegistry, type Static, type TObject, type TSchema, Type } from '@sinclair/typebox'
import { isCurrency } from './money.ts'

/** Field types that several services share. Every object built with them is closed: unknown fields are refused. */
export const Id = Type.String({
  pattern: '^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$',
  description: 'UUID, lower case.',
})
export const Sku = Type.String({
  pattern: '^[A-Z0-9][A-Z0-9._-]{0,63}$',
  description: 'Stock keeping unit: upper-case letters, digits, dot, dash, underscore; 64 at most.',
})
FormatRegistry.Set('iso-4217', isCurrency)
export const Currency = Type.String({
  format: 'iso-4217',
  minLength: 3,
  maxLength: 3,
  description: 'ISO 4217 code of a currency in use, such as EUR.',
})
export const AmountMinor = Type.Integer({
  minimum: 0,
  maximum: Number.MAX_SAFE_INTEGER,
  description: 'Money in minor units of its currency: 1999 is 19.99 EUR.',
})
export const Quantity = Type.Integer({ minimum: 1, maximum: 10_000, description: 'Pieces.' })
export const Instant = Type.String({ format: 'date-time', description: 'RFC 3339, UTC.' })
export const Email = Type.String({
  maxLength: 254,
  pattern: '^[^\\s\\x00-\\x1f\\x7f@<>"]{1,64}@[^\\s\\x00-\\x1f\\x7f@<>"]+\\.[^\\s\\x00-\\x1f\\x7f@<>"]+$',
  description: 'E-mail address.',
})

/** One line of text for people, which reads the same everywhere: nothing in it is invisible or turns what follows around. */
export const lineOfText = (maxLength: number, description: string) =>
  Type.String({
    minLength: 1,
    maxLength,
    pattern: '^(?!\\s)[^\\u0000-\\u001f\\u007f-\\u009f\\u2028-\\u202e\\u2066-\\u2069]*(?<!\\s)$',
    description: `${description} One line, kept as it is sent: blanks at its ends, control characters and bidirectional overrides are refused.`,
  })

/** What somebody types to find something. */
export const searchText = (description: string) =>
  Type.String({ minLength: 1, maxLength: 100, pattern: '^[^\\u0000]*$', description })

/** One of these strings. */
export const oneOf = <const Values extends readonly string[]>(values: Values, description: string) =>
  Type.Unsafe<Values[number]>(
    Type.Union(
      values.map(value => Type.Literal(value)),
      { description },
    ),
  )

type ExactlyOne<Fields, Names extends keyof Fields> = {
  [Name in Names]: { [N in Name]: Exclude<Fields[N], undefined> } & { [N in Exclude<Names, Name>]?: never }
}[Names]

/** The object with exactly one of these optional fields. TypeBox does not check that: where input comes in, `choiceOf` does. */
export const exactlyOneOf = <T extends TObject, const Name extends keyof Static<T> & string>(
  names: readonly Name[],
  object: T,
) =>
  ({ ...object, oneOf: names.map(name => ({ required: [name] })) }) as unknown as T & {
    static: ExactlyOne<Static<T>, Name>
  }

/** The fields of which exactly one must be there; none for nearly every schema, and for a part without them. */
export const choiceOf = ({ oneOf = [], properties = {} }: TSchema): readonly string[] =>
  oneOf
    .flatMap(({ required }: { required: readonly string[] }) => required)
    .filter((name: string) => Object.hasOwn(properties, name))

export const closed = { additionalProperties: false } as const

/** One page of a list, newest first. */
export const pageOf = <T extends TSchema>(item: T) =>
  Type.Object(
    {
      items: Type.Array(item),
      nextCursor: Type.Union([Type.String(), Type.Null()], {
        description: 'Give it as `cursor` for the next page; null on the last.',
      }),
    },
    closed,
  )
export const PageQuery = Type.Object(
  {
    limit: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 100, default: 20, description: 'Items per page.' }),
    ),
    cursor: Type.Optional(Type.String({ maxLength: 200, description: '`nextCursor` of the page before.' })),
  },
  closed,
)
