import { afterAll, beforeAll, expect, test } from 'bun:test'
import { v7 as uuidv7 } from 'uuid'
import { createClient } from '../client/client.ts'
import { mailOrderPaid } from '../queues/notifications.ts'
import { notificationsService } from '../workers/notifications/index.ts'
import { type MailServer, startMailServer } from '../workers/notifications/mail-server.fixture.ts'
import { customer, merchant, operator, type TestEdge, testEdge } from './edge-harness.ts'
import { type TestKernel, testKernel } from './harness.ts'

let mails: MailServer
let kernel: TestKernel
let it: TestEdge
let token: string
beforeAll(async () => {
  mails = await startMailServer()
  kernel = await testKernel({ services: [notificationsService], env: { SMTP_URL: mails.url } })
  it = await testEdge({ database: kernel.database })
  token = await it.tokenFor(operator())
})
afterAll(async () => {
  await it.stop()
  await kernel.stop()
  await mails.stop()
})

interface Breakers {
  readonly breakers: readonly {
    readonly name: string
    readonly order: { readonly action: string; readonly because: string | null } | null
    readonly seen: readonly { readonly process: string; readonly state: string }[]
  }[]
  readonly processes: readonly {
    readonly name: string
    readonly services: string[]
    readonly silent: boolean
  }[]
}
const look = async () => {
  const { status, body } = await it.ask('GET', '/v1/ops/breakers', { token })
  expect(status).toBe(200)
  return body as unknown as Breakers
}
const order = (what: 'open' | 'reset', name = 'notifications.smtp', body: unknown = {}) =>
  it.ask('POST', `/v1/ops/breakers/${name}/${what}`, { token, ...(what === 'open' && { body }) })
const stateOf = async () => (await look()).breakers[0]?.seen[0]?.state
async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await Bun.sleep(20)
}

test('an operator opens and resets a breaker: what needs it waits with no attempt used, and then goes out once', async () => {
  const customerId = uuidv7()
  await kernel.sql`insert into notifications.contacts values (${customerId}, 'ann@mail.test', 'Ann', now())`
  await until(async () => (await stateOf()) === 'closed')

  const because = 'the mail provider asked us to stop'
  expect(await order('open', 'notifications.smtp', { because })).toMatchObject({
    status: 202,
    body: { name: 'notifications.smtp', action: 'open' },
  })
  await until(async () => (await stateOf()) === 'isolated')
  expect((await look()).breakers).toMatchObject([
    { name: 'notifications.smtp', order: { action: 'open', because }, seen: [{ state: 'isolated' }] },
  ])
  const id = await kernel.send(mailOrderPaid, {
    orderId: uuidv7(),
    customerId,
    totalMinor: 1,
    currency: 'EUR',
  })
  const commandOf = async () =>
    (await kernel.sql`select state, because, failures from journal.commands where id = ${id}`)[0]
  await until(async () => (await commandOf())?.state === 'waiting')
  expect(await commandOf()).toEqual({
    state: 'waiting',
    because: 'the mail server does not work',
    failures: 0,
  })
  expect(mails.mails).toHaveLength(0)

  expect((await order('reset')).status).toBe(202)
  await until(async () => (await stateOf()) === 'closed')
  await until(async () => (await commandOf())?.state === 'succeeded')
  expect(mails.mails).toHaveLength(1)
})

test('who ordered what stays', async () => {
  const rows = await kernel.sql`select action, because, actor_id from ops.breaker_orders order by id`
  expect(rows).toMatchObject([
    { action: 'open', because: 'the mail provider asked us to stop', actor_id: expect.any(String) },
    { action: 'reset', because: null },
  ])
})

test('a process of which nothing is heard is shown as silent', async () => {
  await kernel.sql`insert into ops.processes values
    ('dead-1', '{payments}', '[]', now() - interval '11 seconds')`
  const { processes } = await look()
  expect(processes.find(({ name }) => name === 'dead-1')).toMatchObject({
    services: ['payments'],
    silent: true,
  })
  expect(processes.filter(({ silent }) => !silent)).toMatchObject([{ services: ['notifications'] }])
})

test('bad input: an unknown breaker is 404, an order to open without a reason is 422, and nothing is ordered', async () => {
  const [before] = await kernel.sql`select count(*) from ops.breaker_orders`
  expect((await order('reset', 'notifications.pigeon')).status).toBe(404)
  expect((await order('open', 'nobody.nothing', { because: 'x' })).status).toBe(404)
  for (const body of [{}, { because: '' }, { because: 'a\nb' }, { because: 'x', until: 'noon' }])
    expect((await order('open', 'notifications.smtp', body)).status).toBe(422)
  expect(await kernel.sql`select count(*) from ops.breaker_orders`).toMatchObject([before as object])
})

test('nobody else sees or switches them', async () => {
  for (const person of [customer(), merchant()]) {
    const theirs = await it.tokenFor(person)
    const asked = [
      it.ask('GET', '/v1/ops/breakers', { token: theirs }),
      it.ask('POST', '/v1/ops/breakers/notifications.smtp/reset', { token: theirs }),
      it.ask('POST', '/v1/ops/breakers/notifications.smtp/open', { token: theirs, body: { because: 'x' } }),
    ]
    expect((await Promise.all(asked)).map(({ status }) => status)).toEqual([403, 403, 403])
  }
})

test('the typed client opens, resets and lists breakers, and looks at invariants', async () => {
  const fetch = async (url: string, init: RequestInit) => it.edge.fetch(new Request(url, init))
  const { ops } = createClient({ baseUrl: 'http://edge.test', token, fetch })
  const name = 'notifications.smtp'
  expect(await ops.openBreaker(name, 'a test')).toEqual({ name, action: 'open' })
  const { breakers } = await ops.breakers()
  expect(breakers.find(each => each.name === name)?.order).toMatchObject({
    action: 'open',
    because: 'a test',
  })
  expect(await ops.resetBreaker(name)).toEqual({ name, action: 'reset' })
  expect((await ops.invariants(1)).state).toBe('holds')
})
