import { type TSchema, Type } from '@sinclair/typebox'
import packageJson from '../package.json' with { type: 'json' }
import type { Service } from '../queues/command.ts'
import { services } from '../queues/registry.ts'
import { createSchemaBook, type Json, type SchemaBook } from './openapi-schema.ts'
import type { Operation } from './operation.ts'
import { type ProblemCode, problems } from './problems.ts'

/** The OpenAPI 3.1 document of what is mounted. */
export function openApiOf(operations: readonly Operation[], publicUrl: string) {
  const book = createSchemaBook()
  const paths: Record<string, Record<string, Json>> = {}
  for (const operation of operations) {
    const path = paths[operation.path] ?? {}
    path[operation.method.toLowerCase()] = describe(operation, book)
    paths[operation.path] = path
  }
  book.write(ProblemBody)
  return {
    openapi: '3.1.1',
    info: {
      title: 'Waybill',
      version: packageJson.version,
      summary: packageJson.description,
      license: { name: packageJson.license, identifier: packageJson.license },
    },
    servers: [{ url: publicUrl }],
    tags: tagsOf(operations),
    paths,
    components: {
      securitySchemes: {
        token: {
          type: 'http',
          scheme: 'bearer',
          bearerFormat: 'JWT',
          description:
            'An access token of POST /v1/sessions. The scopes of each operation are its roles here.',
        },
      },
      schemas: book.schemas(),
    },
  }
}

/** RFC 9457; a problem may carry more members. */
const ProblemBody = Type.Object(
  {
    type: Type.String({ format: 'uri', description: 'The page that explains the code.' }),
    title: Type.String({ description: 'One sentence; the same for every problem of this code.' }),
    status: Type.Integer({ minimum: 400, maximum: 599 }),
    code: Type.String({ description: 'Stable: programs may rely on it.' }),
    detail: Type.Optional(Type.String({ description: 'What is special about this occurrence.' })),
    errors: Type.Optional(
      Type.Array(
        Type.Object({
          pointer: Type.Optional(Type.String({ description: 'JSON pointer into the body: #/lines/0/sku.' })),
          parameter: Type.Optional(Type.String({ description: 'Name of a path or query parameter.' })),
          detail: Type.String(),
        }),
      ),
    ),
    requestId: Type.String({ description: 'Names this request in our logs.' }),
    commandId: Type.Optional(Type.String({ description: 'The command that was refused.' })),
  },
  { $id: 'Problem' },
)

function describe(operation: Operation, book: SchemaBook): Json {
  const { id, tag, summary, access, body } = operation
  return {
    operationId: id,
    tags: [tag],
    summary,
    security: access === 'public' ? [] : [{ token: access === 'signed-in' ? [] : [access] }],
    parameters: parametersOf(operation, book),
    ...(body && {
      requestBody: {
        required: body.required,
        content: { [body.contentType]: { schema: book.write(body.schema) } },
      },
    }),
    responses: { ...answersOf(operation, book), ...problemsOf(operation, book) },
  }
}

function parametersOf({ params, query, headers = {} }: Operation, book: SchemaBook): Json {
  const described = (where: string, name: string, schema: TSchema, required: boolean): Json => ({
    name,
    in: where,
    required,
    ...(typeof schema.description === 'string' && { description: schema.description }),
    schema: book.write(schema),
  })
  const inQuery = Object.entries(query?.properties ?? {})
  return [
    ...Object.entries(params?.properties ?? {}).map(([name, schema]) =>
      described('path', name, schema, true),
    ),
    ...inQuery.map(([name, schema]) =>
      described('query', name, schema, (query?.required ?? []).includes(name)),
    ),
    ...Object.entries(headers).map(([name, { schema, required }]) =>
      described('header', name, schema, required),
    ),
  ]
}

const answersOf = ({ answers }: Operation, book: SchemaBook): Record<string, Json> =>
  Object.fromEntries(
    Object.entries(answers).map(([status, { description, schema, contentType, headers }]) => [
      status,
      {
        description,
        ...(headers && { headers: headersOf(headers) }),
        ...(schema && { content: { [contentType ?? 'application/json']: { schema: book.write(schema) } } }),
      },
    ]),
  )

const headersOf = (headers: Readonly<Record<string, string>>): Json =>
  Object.fromEntries(
    Object.entries(headers).map(([name, description]) => [name, { description, schema: { type: 'string' } }]),
  )

/** What guards, parameters and bodies can answer, whatever the operation. */
export function problemCodesOf({ access, params, query, body, problems: own }: Operation): ProblemCode[] {
  const signedIn: ProblemCode[] = access === 'public' ? [] : ['unauthenticated', 'upstream_unavailable']
  const scoped: ProblemCode[] = access === 'public' || access === 'signed-in' ? [] : ['insufficient_scope']
  const json: ProblemCode[] =
    body?.contentType === 'application/json'
      ? ['malformed_json', 'body_too_deep', 'body_too_large', 'unsupported_media_type', 'validation_failed']
      : []
  return [
    ...new Set<ProblemCode>([
      ...signedIn,
      ...scoped,
      ...(params ? (['not_found'] as const) : []),
      ...(query ? (['invalid_parameter'] as const) : []),
      ...json,
      ...own,
      'internal_error',
    ]),
  ]
}

function problemsOf(operation: Operation, book: SchemaBook): Record<string, Json> {
  const ours = problemCodesOf(operation).map(code => ({ code, ...problems[code], facts: undefined }))
  const theirs = Object.entries(operation.refusals ?? {}).map(([code, { status, title, detail }]) => ({
    code,
    status,
    title,
    facts: detail,
  }))
  const byStatus = Map.groupBy([...ours, ...theirs], each => each.status)
  return Object.fromEntries(
    [...byStatus].map(([status, those]) => [
      String(status),
      {
        description: those.map(({ code, title }) => `\`${code}\`: ${title}`).join(' '),
        ...(problemHeaders[status] && { headers: headersOf(problemHeaders[status]) }),
        content: {
          'application/problem+json': {
            schema: {
              oneOf: those.map(({ code, facts }) => ({
                title: code,
                allOf: [
                  { $ref: '#/components/schemas/Problem' },
                  { type: 'object', properties: { code: { const: code } } },
                  ...(facts ? [opened(book.write(facts))] : []),
                ],
              })),
            },
          },
        },
      },
    ]),
  )
}

/** The facts of a refusal are members of the problem, beside others. */
const opened = (facts: Json): Json =>
  typeof facts === 'object' && facts !== null && !Array.isArray(facts)
    ? Object.fromEntries(Object.entries(facts).filter(([name]) => name !== 'additionalProperties'))
    : facts

const problemHeaders: Readonly<Record<number, Readonly<Record<string, string>>>> = {
  401: { 'WWW-Authenticate': 'Bearer (RFC 6750), with what is wrong.' },
  403: { 'WWW-Authenticate': 'Bearer (RFC 6750), with the missing scope.' },
  503: { 'Retry-After': 'Seconds.' },
}

function tagsOf(operations: readonly Operation[]): Json {
  const summaries = new Map<string, string>([
    ...services.map(({ name, summary }: Service): [string, string] => [name, summary]),
    ['commands', 'What became of what was asked for.'],
    ['health', 'For the platform that runs it.'],
    ['documentation', 'What can be asked, and what can go wrong.'],
  ])
  const used = new Set(operations.map(({ tag }) => tag))
  return [...used].map(name => ({ name, description: summaries.get(name) ?? name }))
}
