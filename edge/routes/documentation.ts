import { Type } from '@sinclair/typebox'
import type { Refusal } from '../../queues/command.ts'
import { openApiOf } from '../openapi.ts'
import type { Mount, Operation } from '../operation.ts'
import { Problem, problems } from '../problems.ts'

/** The API tells about itself: OpenAPI, and a page behind the `type` of every problem. */
export function mountDocumentation(
  mount: Mount,
  { operations, publicUrl }: { readonly operations: readonly Operation[]; readonly publicUrl: string },
): void {
  mount(
    {
      id: 'documentation.openapi',
      method: 'GET',
      path: '/openapi.json',
      tag: 'documentation',
      summary: 'This API as OpenAPI 3.1.',
      access: 'public',
      answers: { 200: { description: 'The document.', schema: Type.Object({ openapi: Type.String() }) } },
      problems: [],
    },
    once(() => JSON.stringify(openApiOf(operations, publicUrl)), 'application/json'),
  )
  mount(
    {
      id: 'documentation.problems',
      method: 'GET',
      path: '/problems',
      tag: 'documentation',
      summary: 'Every problem that this API can answer.',
      access: 'public',
      answers: { 200: { description: 'A page.', schema: Type.String(), contentType: 'text/html' } },
      problems: [],
    },
    once(() => indexPage(pagesOf(operations)), 'text/html; charset=utf-8'),
  )
  mount(
    {
      id: 'documentation.problem',
      method: 'GET',
      path: '/problems/{code}',
      tag: 'documentation',
      summary: 'What a problem means and what to do about it: the page behind its `type`.',
      access: 'public',
      params: Type.Object({ code: Type.String({ pattern: '^[a-z0-9_]{1,64}$' }) }),
      answers: { 200: { description: 'A page.', schema: Type.String(), contentType: 'text/html' } },
      problems: ['not_found'],
    },
    ({ params }) => {
      const page = pagesOf(operations).get(params.code)
      if (!page) throw new Problem('not_found')
      return html(problemPage(params.code, page))
    },
  )
}

/** Made when it is first asked for, when everything is mounted. */
function once(make: () => string, contentType: string): () => Response {
  let made: string | undefined
  return () => {
    made ??= make()
    return new Response(made, {
      headers: { 'content-type': contentType, 'cache-control': 'public, max-age=60' },
    })
  }
}

interface Page {
  readonly status: number
  readonly title: string
  readonly help: string
}

/** Our own problems, and the refusals of every mounted command. */
function pagesOf(operations: readonly Operation[]): ReadonlyMap<string, Page> {
  const pages = new Map<string, Page>(Object.entries(problems))
  for (const { refusals = {} } of operations)
    for (const [code, refusal] of Object.entries(refusals))
      pages.set(code, { ...refusal, help: helpFor(code, refusal, operations) })
  return pages
}

function helpFor(code: string, refusal: Refusal, operations: readonly Operation[]): string {
  const those = operations.filter(each => each.refusals && Object.hasOwn(each.refusals, code))
  const facts = Object.keys((refusal.detail as { properties?: object } | undefined)?.properties ?? {})
  return [
    `A refusal: the command was carried out, changed nothing, and will not be tried again.`,
    facts.length > 0 ? `The answer tells ${facts.join(', ')}.` : '',
    `Answered by ${those.map(each => `${each.method} ${each.path}`).join(', ')}.`,
  ]
    .filter(sentence => sentence !== '')
    .join(' ')
}

const html = (page: string) =>
  new Response(page, {
    headers: { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'public, max-age=60' },
  })

const problemPage = (code: string, { status, title, help }: Page) =>
  layout(code, `<h1>${code}</h1><p><strong>${status}</strong> ${escaped(title)}</p><p>${escaped(help)}</p>`)

const indexPage = (pages: ReadonlyMap<string, Page>) =>
  layout(
    'Problems',
    `<h1>Problems</h1><ul>${[...pages]
      .map(
        ([code, { status, title }]) =>
          `<li><a href="/problems/${code}">${code}</a> (${status}): ${escaped(title)}</li>`,
      )
      .join('')}</ul>`,
  )

const layout = (title: string, body: string) =>
  `<!doctype html><html lang="en"><meta charset="utf-8"><title>${title} - Waybill</title>${body}</html>\n`

const escaped = (text: string) =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
