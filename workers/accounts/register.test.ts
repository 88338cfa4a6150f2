import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { saveContact } from '../../queues/notifications.ts'
import { ensureAccount } from './register.ts'
import { type TestAccounts, testAccounts } from './service.fixture.ts'

let accounts: TestAccounts
beforeAll(async () => {
  accounts = await testAccounts()
})
afterAll(() => accounts.database.drop())

const newcomer = (email: string) => ({ email, password: 'correct horse', name: 'Ann' })
const accountsWith = (email: string) =>
  accounts.deps.sql`select id, roles from accounts.accounts where lower(email) = ${email}`

describe('201: an account is opened', () => {
  test('with the role customer, and without a word about its password', async () => {
    const { status, body } = await accounts.post('/register', newcomer('one@shop.test'))
    expect(status).toBe(201)
    expect(body).toEqual({
      id: expect.any(String),
      email: 'one@shop.test',
      name: 'Ann',
      roles: ['customer'],
      createdAt: accounts.clock.now.toISOString(),
    })
  })
  test('and notifications learns the address: the command is in the journal and the queue is told', async () => {
    const { body } = await accounts.post('/register', newcomer('two@shop.test'), {
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    })
    const told = accounts.enqueued.at(-1)
    expect(told?.type).toBe(saveContact.name)
    const [row] = await accounts.database.sql()`
      select c.input, c.actor_id, c.traceparent, e.type as event from journal.commands c
      join journal.events e on e.id = c.event_id where c.id = ${told?.id ?? ''}`
    expect(row).toMatchObject({
      input: { accountId: body.id, email: 'two@shop.test', name: 'Ann' },
      actor_id: body.id,
      event: 'account.registered',
    })
    expect(row?.traceparent).toStartWith('00-0af7651916cd43dd8448eb211c80319c-')
  })
  test('with its event or not at all', async () => {
    const owner = accounts.database.sql()
    await owner`alter function journal.write_events rename to write_events_away`
    const { status } = await accounts.post('/register', newcomer('three@shop.test'))
    await owner`alter function journal.write_events_away rename to write_events`
    expect(status).toBe(500)
    expect(await accountsWith('three@shop.test')).toHaveLength(0)
  })
  test('and no row of the journal holds its password', async () => {
    const owner = accounts.database.sql()
    expect((await accounts.post('/register', newcomer('five@shop.test'))).status).toBe(201)
    const rows = await owner<{ row: string }[]>`
      select row_to_json(c)::text as row from journal.commands c
      union all select row_to_json(e)::text from journal.events e`
    const [account] = await owner<{ password_hash: string }[]>`
      select password_hash from accounts.accounts where email = 'five@shop.test'`
    expect(rows.filter(({ row }) => row.includes('five@shop.test'))).not.toBeEmpty()
    const secrets = ['correct horse', account?.password_hash ?? '']
    expect(rows.filter(({ row }) => secrets.some(secret => row.includes(secret)))).toBeEmpty()
  })
  test('and the password is kept as an argon2id hash', async () => {
    await accounts.post('/register', newcomer('four@shop.test'))
    const [row] = await accounts.deps
      .sql`select password_hash from accounts.accounts where email = 'four@shop.test'`
    expect(row?.password_hash).toStartWith('$argon2id$')
  })
})

describe('409: the address is taken', () => {
  test('however it is spelled, and the first account stays as it is', async () => {
    await accounts.post('/register', newcomer('five@shop.test'))
    const taken = await accounts.post('/register', {
      ...newcomer('FIVE@Shop.test'),
      password: 'another horse',
    })
    expect(taken).toMatchObject({ status: 409, body: { code: 'email_taken' } })
    const { name: _, ...credentials } = newcomer('five@shop.test')
    expect((await accounts.post('/login', credentials)).status).toBe(200)
  })
  test('and that is not said sooner: the password is hashed all the same', async () => {
    await accounts.post('/register', newcomer('ten@shop.test'))
    accounts.hashed.length = 0
    await accounts.post('/register', { ...newcomer('ten@shop.test'), password: 'another horse' })
    expect(accounts.hashed).toEqual(['another horse'])
  })
  test('to all but one of 10 that ask at once', async () => {
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => accounts.post('/register', newcomer('six@shop.test'))),
    )
    expect(answers.map(({ status }) => status).sort()).toEqual([201, ...Array(9).fill(409)])
    expect(await accountsWith('six@shop.test')).toHaveLength(1)
  })
})

describe('422: what is sent is no registration', () => {
  test.each([
    ['a short password', { password: 'short' }],
    ['no address', { email: 'nowhere' }],
    ['an empty name', { name: '' }],
    ['a line break in the name', { name: 'Ann\r\nBcc: all@shop.test' }],
    ['a NUL in the name', { name: 'An\u0000n' }],
  ])('%s', async (_, wrong) => {
    const answer = await accounts.post('/register', { ...newcomer('seven@shop.test'), ...wrong })
    expect(answer).toMatchObject({ status: 422, body: { code: 'invalid_request' } })
    expect(await accountsWith('seven@shop.test')).toHaveLength(0)
  })
})

describe('503: more sign-ins than can be hashed', () => {
  test('are refused at once, and the others answered', async () => {
    const busy = await testAccounts({ atOnce: 1, waitingMax: 1 })
    const answers = await Promise.all(
      Array.from({ length: 5 }, (_, at) => busy.post('/register', newcomer(`busy-${at}@shop.test`))),
    )
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 201, 503, 503, 503])
    expect(answers.find(({ status }) => status === 503)?.body).toEqual({ code: 'overloaded' })
    await busy.database.drop()
  })
})

describe('development accounts', () => {
  const operator = { ...newcomer('op@shop.test'), roles: ['operator'] as ['operator'] }

  test('are opened once, however often and from however many processes they are asked for', async () => {
    const ids = await Promise.all(Array.from({ length: 5 }, () => ensureAccount(accounts.deps, operator)))
    expect(new Set(ids).size).toBe(1)
    expect(await ensureAccount(accounts.deps, operator)).toBe(ids[0] ?? '')
    expect(await accountsWith('op@shop.test')).toEqual([{ id: ids[0], roles: ['operator'] }] as never)
  })
})

describe('one’s own account', () => {
  test('404 to everybody else', async () => {
    const { body } = await accounts.post('/register', newcomer('eight@shop.test'))
    const { body: other } = await accounts.post('/register', newcomer('nine@shop.test'))
    const as = (id: unknown) => accounts.get(`/accounts/${body.id}`, { 'x-waybill-actor': String(id) })
    expect(await as(body.id)).toMatchObject({ status: 200, body: { email: 'eight@shop.test' } })
    expect(await as(other.id)).toMatchObject({ status: 404, body: { code: 'not_found' } })
  })
})
