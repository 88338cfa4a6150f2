import type { TSchema } from '@sinclair/typebox'

export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json }

/** Collects the schemas that have a name, and refers to them. */
export interface SchemaBook {
  /** The schema as OpenAPI 3.1 wants it: named ones as references, unions of literals as enumerations. */
  readonly write: (schema: TSchema) => Json
  readonly schemas: () => { readonly [name: string]: Json }
}

export function createSchemaBook(): SchemaBook {
  const named = new Map<string, Json>()

  const write = (value: Json): Json => {
    if (Array.isArray(value)) return value.map(write)
    if (!isObject(value)) return value
    const { $id, ...schema } = value
    if (typeof $id !== 'string') return enumerated(members(schema))
    if (!named.has($id)) {
      named.set($id, {}) // before its members, for a schema that holds itself
      named.set($id, enumerated(members(schema)))
    }
    return { $ref: `#/components/schemas/${$id}` }
  }
  const members = (schema: { readonly [name: string]: Json }) =>
    Object.fromEntries(Object.entries(schema).map(([name, each]) => [name, write(each)]))

  return {
    write: schema => write(JSON.parse(JSON.stringify(schema))),
    schemas: () => Object.fromEntries([...named].sort(([a], [b]) => a.localeCompare(b))),
  }
}

const isObject = (value: Json): value is { readonly [name: string]: Json } =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function enumerated(schema: { readonly [name: string]: Json }): Json {
  const { anyOf, ...rest } = schema
  if (!Array.isArray(anyOf)) return schema
  const values = anyOf.map((each: Json) => (isObject(each) ? each.const : undefined))
  if (values.some(value => typeof value !== 'string')) return schema
  return { type: 'string', enum: values as string[], ...rest }
}
