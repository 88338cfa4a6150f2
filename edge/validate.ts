import { FormatRegistry, type Static, type TSchema } from '@sinclair/typebox'
import { TypeCompiler } from '@sinclair/typebox/compiler'
import { type ValueError, ValueErrorType } from '@sinclair/typebox/errors'
import { choiceOf } from '../queues/schemas.ts'
import type { FieldError } from './problems.ts'

const errorsMax = 20

const instant = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/
// Elysia brings one along, which takes a day for an instant; what the edge takes does not depend on who else is there.
FormatRegistry.Set('date-time', text => instant.test(text) && !Number.isNaN(Date.parse(text)))

export interface Validator<S extends TSchema> {
  readonly fits: (value: unknown) => value is Static<S>
  /** What is wrong, one entry per field, the first twenty; values are never repeated. */
  readonly errors: (value: unknown) => FieldError[]
}

/** Compiles a schema once, into a function that checks in well under a microsecond. */
export function validator<S extends TSchema>(schema: S): Validator<S> {
  refuseUnknownFormats(schema)
  const compiled = TypeCompiler.Compile(schema)
  const choice = choiceOf(schema)
  return {
    fits: (value): value is Static<S> => compiled.Check(value) && wrongChoice(choice, value) === undefined,
    errors: value => {
      const byPointer = new Map<string, FieldError>()
      const wrong = wrongChoice(choice, value)
      if (wrong) byPointer.set(wrong.pointer, wrong)
      for (const error of compiled.Errors(value)) {
        const pointer = `#${error.path}`
        if (!byPointer.has(pointer)) byPointer.set(pointer, { pointer, detail: describe(error) })
        if (byPointer.size === errorsMax) break
      }
      return [...byPointer.values()]
    },
  }
}

/** Names the field that is one too many, or the first of those that could be there. */
function wrongChoice(choice: readonly string[], value: unknown) {
  if (choice.length === 0 || typeof value !== 'object' || value === null) return undefined
  const given = choice.filter(name => Object.hasOwn(value, name))
  if (given.length === 1) return undefined
  return {
    pointer: `#/${given.at(-1) ?? choice[0]}`,
    detail: `Expected exactly one of ${choice.join(', ')}.`,
  }
}

/** TypeBox lets no value pass whose format it does not know: better to learn of that at the start. */
function refuseUnknownFormats(schema: TSchema): void {
  for (const [, format = ''] of JSON.stringify(schema).matchAll(/"format":"([^"]+)"/g))
    if (!FormatRegistry.Has(format)) throw new Error(`a schema has the format ${format}, which nobody checks`)
}

function describe({ type, message, schema }: ValueError): string {
  if (type === ValueErrorType.ObjectAdditionalProperties) return 'Unknown field.'
  if (type === ValueErrorType.ObjectRequiredProperty) return 'Required.'
  const choices = choicesOf(schema)
  if (choices) return `Expected one of ${choices.join(', ')}.`
  const meaning = typeof schema.description === 'string' ? schema.description : ''
  // People know what is meant by the name of no format.
  if (type === ValueErrorType.StringFormat && meaning !== '') return `Expected: ${meaning}`
  return `${message}. ${meaning}`.trimEnd()
}

/** The strings of a union of literals. */
function choicesOf(schema: TSchema): unknown[] | undefined {
  if (!Array.isArray(schema.anyOf)) return undefined
  const choices = schema.anyOf.map((each: TSchema) => each.const)
  return choices.every(each => each !== undefined) ? choices : undefined
}
