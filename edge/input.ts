import type { Static, TObject } from '@sinclair/typebox'
import { readJson } from './middleware/json-body.ts'
import { Problem } from './problems.ts'
import { validator } from './validate.ts'

/** Reads a body that fits `schema` together with the path parameters. Throws a Problem that names each wrong field. */
export function inputReader<S extends TObject>(schema: S, bodyMaxBytes: number) {
  const { fits, errors } = validator(schema)
  return async (request: Request, params: object = {}): Promise<Static<S>> => {
    const body = await readJson(request, bodyMaxBytes)
    if (typeof body !== 'object' || body === null || Array.isArray(body))
      throw new Problem('validation_failed', { errors: [{ pointer: '#', detail: 'Expected object.' }] })
    const repeated = Object.keys(params).filter(name => Object.hasOwn(body, name))
    const input: unknown = { ...body, ...params }
    if (repeated.length === 0 && fits(input)) return input
    throw new Problem('validation_failed', {
      errors: [
        ...repeated.map(name => ({
          pointer: `#/${name}`,
          detail: 'Unknown field: it is part of the address.',
        })),
        ...errors(input),
      ],
    })
  }
}
