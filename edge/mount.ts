import { type TObject, Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import type { Handler, Hono } from 'hono'
import type { Actor } from '../queues/access.ts'
import type { EdgeContext, EdgeEnv } from './context.ts'
import { type Authenticate, demandScope } from './middleware/authenticate.ts'
import { type Access, type Mount, type Operation, pathParameters } from './operation.ts'
import { type FieldError, Problem } from './problems.ts'
import { validator } from './validate.ts'

const nothing = Object.freeze({})

/** Mounts operations on `app`, guards first, and writes each into `record`: OpenAPI is made from it, and 405. */
export function createMount(app: Hono<EdgeEnv>, record: Operation[], authenticate: Authenticate): Mount {
  return (operation, handler) => {
    const { method, path, access, params, query } = operation
    checkParameters(operation)
    record.push(operation)
    const guard = guardOf(access, authenticate)
    const readParams = params ? paramsReader(params) : () => nothing
    const readQuery = query ? queryReader(query) : () => nothing
    const run: Handler<EdgeEnv> = async c => {
      c.set('operation', operation.id)
      return handler({
        c,
        actor: (await guard(c)) as never,
        params: readParams(c) as never,
        query: readQuery(c) as never,
      })
    }
    app.on(method, path.replaceAll(/\{(\w+)\}/g, ':$1'), run)
  }
}

function checkParameters({ id, path, params = Type.Object({}) }: Operation): void {
  const declared = Object.keys(params.properties)
  const named = pathParameters(path)
  if (declared.length === named.length && named.every(name => params.properties[name]?.type === 'string'))
    return
  throw new Error(`${id}: the parameters of ${path} must be declared, as strings`)
}

/** The demand stands in the route's own definition: no route can be forgotten by a pattern. */
function guardOf(access: Access, authenticate: Authenticate): (c: EdgeContext) => Promise<Actor | null> {
  if (access === 'public') return async () => null
  if (access === 'signed-in') return c => authenticate(c.req.header('authorization'))
  return async c => {
    const actor = await authenticate(c.req.header('authorization'))
    demandScope(actor, access)
    return actor
  }
}

function paramsReader(schema: TObject): (c: EdgeContext) => unknown {
  const names = Object.keys(schema.properties)
  const { fits, errors } = validator(schema)
  return c => {
    const params = Object.fromEntries(names.map(name => [name, c.req.param(name)]))
    if (fits(params)) return params
    throw new Problem('not_found', {
      detail: 'The address names something that cannot exist.',
      errors: errors(params).map(toParameter),
    })
  }
}

function queryReader(schema: TObject): (c: EdgeContext) => unknown {
  const { fits, errors } = validator(schema)
  return c => {
    const given = c.req.queries()
    const repeated = Object.keys(given).filter(name => (given[name]?.length ?? 0) > 1)
    const single = Object.fromEntries(Object.entries(given).map(([name, values]) => [name, values[0]]))
    const query = Value.Default(schema, withIntegers(schema, single))
    if (fits(query) && repeated.length === 0) return query
    throw new Problem('invalid_parameter', {
      errors: [
        ...repeated.map(parameter => ({ parameter, detail: 'Given more than once.' })),
        ...errors(query).map(toParameter),
      ],
    })
  }
}

/** Text is all that an address has; only what is wholly an integer becomes one. */
const withIntegers = (schema: TObject, given: Readonly<Record<string, string | undefined>>) =>
  Object.fromEntries(
    Object.entries(given).map(([name, text = '']) => {
      const isInteger = schema.properties[name]?.type === 'integer' && /^-?\d+$/.test(text)
      return [name, isInteger ? Number(text) : text]
    }),
  )

const toParameter = ({ pointer = '', detail }: FieldError): FieldError => ({
  parameter: pointer.slice(2),
  detail: detail === 'Unknown field.' ? 'Unknown parameter.' : detail,
})
