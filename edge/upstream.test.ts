import { afterEach, describe, expect, test } from 'bun:test'
import { treaty } from '@elysiajs/eden/treaty2'
import { Type } from '@sinclair/typebox'
import { Elysia } from 'elysia'
import { closed } from '../queues/schemas.ts'
import { Problem } from './problems.ts'
import { answersOf, createUpstream, edenOf, type Target } from './upstream.ts'

const Thing = Type.Object(
  { name: Type.String(), parts: Type.Array(Type.Object({ n: Type.Integer() }, closed)) },
  closed,
)
const things = answersOf(Thing)
const right = { name: '1/2/2025', parts: [{ n: 1 }] }
const app = new Elysia().get('/thing', () => right, { response: { 200: Thing } })
const rules = { internalSecret: 'between-us', timeoutMs: 100 }

const servers: { stop: (force: boolean) => unknown }[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.stop(true)
})
/** The same service in this process and behind HTTP. */
function targets(handle: (request: Request) => Promise<Response>): { name: string; target: Target }[] {
  const server = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: handle })
  servers.push(server)
  return [
    { name: 'in process', target: { handle } },
    { name: 'over HTTP', target: `http://127.0.0.1:${server.port}/` },
  ]
}

const codeOf = (asked: Promise<unknown>): Promise<unknown> =>
  asked.then(
    value => value,
    error => (error instanceof Problem ? error.code : error),
  )
/** What a read of `/thing` answers, from either kind of service. */
async function read(handle: (request: Request) => Promise<Response>): Promise<unknown[]> {
  return Promise.all(
    targets(handle).map(({ target }) => {
      const upstream = createUpstream(target, rules)
      return codeOf(things(treaty<typeof app>(...edenOf(upstream)).thing.get()))
    }),
  )
}
const both = (value: unknown) => [value, value]

describe('an answer of a service', () => {
  test('is cut to its schema: what the contract does not name does not go out', async () => {
    const chatty = { ...right, passwordHash: 'x', parts: [{ n: 1, cost: 2 }] }
    expect(await read(async () => Response.json(chatty))).toEqual(both(right))
  })
  test('that does not fit its schema is 502', async () => {
    expect(await read(async () => Response.json({ name: 1, parts: [] }))).toEqual(both('upstream_invalid'))
    expect(await read(async () => new Response('<html>'))).toEqual(both('upstream_invalid'))
    const cut = async () => new Response('{"name":', { headers: { 'content-type': 'application/json' } })
    expect(await read(cut)).toEqual(both('upstream_invalid'))
  })
  test('that names a problem of ours is that problem; any other is 502, and nothing of it goes out', async () => {
    const answer = (status: number, code: string) => async () =>
      Response.json({ code, secret: 'x' }, { status })
    expect(await read(answer(404, 'not_found'))).toEqual(both('not_found'))
    expect(await read(answer(409, 'email_taken'))).toEqual(both('email_taken'))
    for (const [status, code] of [
      [500, 'internal'],
      [500, 'not_found'],
      [404, 'toString'],
      [401, 'unauthorized'],
      [422, 'invalid_request'],
    ] as const)
      expect([code, await read(answer(status, code))]).toEqual([code, both('upstream_invalid')])
  })
  test('that does not come in time is 503', async () => {
    expect(await read(() => Bun.sleep(5_000).then(() => Response.json(right)))).toEqual(
      both('upstream_unavailable'),
    )
  })
})

test('a service that is away is 503', async () => {
  for (const target of ['http://127.0.0.1:1', { handle: async () => Promise.reject(new Error('crash')) }]) {
    const upstream = createUpstream(target, rules)
    expect(await codeOf(upstream.fetch(`${upstream.base}/thing`))).toBe('upstream_unavailable')
  }
})

test('a body that drips is cut off in time', async () => {
  const drip = async () =>
    new Response(
      new ReadableStream({
        async pull(controller) {
          controller.enqueue(new TextEncoder().encode(' '))
          await Bun.sleep(20)
        },
      }),
      { headers: { 'content-type': 'application/json' } },
    )
  const [, remote] = targets(drip)
  const upstream = createUpstream(remote?.target ?? '', rules)
  expect(await codeOf(things(treaty<typeof app>(...edenOf(upstream)).thing.get()))).toBe(
    'upstream_unavailable',
  )
})

test('the secret goes to services behind HTTP, and a redirect is not followed with it', async () => {
  const seen: (string | null)[] = []
  const [local, remote] = targets(async request => {
    seen.push(request.headers.get('x-waybill-internal'))
    return Response.redirect('/elsewhere')
  })
  for (const { target } of [local, remote].flatMap(each => each ?? [])) {
    const upstream = createUpstream(target, rules)
    expect((await upstream.fetch(`${upstream.base}/thing`)).status).toBe(302)
  }
  expect(seen).toEqual([null, 'between-us'])
})

test('Eden reaches both kinds, and leaves text that looks like a date alone', async () => {
  for (const { target } of targets(request => app.handle(request))) {
    const api = treaty<typeof app>(...edenOf(createUpstream(target, rules)))
    expect(await things(api.thing.get())).toEqual(right)
  }
})

test('a stream may last longer than the time in which it has to begin', async () => {
  const slow = async () =>
    new Response(
      new ReadableStream({
        async start(controller) {
          for (let at = 0; at < 5; at++) {
            controller.enqueue(new TextEncoder().encode('x'))
            await Bun.sleep(40)
          }
          controller.close()
        },
      }),
    )
  for (const { target } of targets(slow)) {
    const answer = await createUpstream(target, rules).open('/file', { signal: new AbortController().signal })
    expect(await answer.text()).toBe('xxxxx')
  }
  const never = { handle: () => Promise.withResolvers<Response>().promise }
  const opened = createUpstream(never, rules).open('/file', { signal: new AbortController().signal })
  expect(await codeOf(opened)).toBe('upstream_unavailable')
})
