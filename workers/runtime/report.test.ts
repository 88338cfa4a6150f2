import { afterAll, beforeAll, expect, test } from 'bun:test'
import type { Sql } from '../../db/client.ts'
import { type TestDatabase, testDatabase, testLog } from '../../test/harness.ts'
import { NotSent } from './ask.ts'
import { createRemotes } from './remotes.ts'
import { startReporting } from './report.ts'

let database: TestDatabase
let owner: Sql
let edge: Sql
beforeAll(async () => {
  database = await testDatabase()
  owner = database.sql()
  edge = database.sql('edge')
})
afterAll(() => database.drop())

function startProcess(process: string, names: readonly string[] = ['payments.simulator']) {
  let soon = () => {}
  const remotes = createRemotes({ log: testLog, nowMs: Date.now, onChange: () => soon() })
  const opened = names.map(name => remotes.open({ name, timeoutMs: 1_000, failuresInARow: 3 }))
  const sql = database.sql('payments')
  const reporting = startReporting({ sql, log: testLog, process, services: ['payments'], remotes })
  soon = reporting.soon
  return { remotes, remote: opened[0] as (typeof opened)[0], soon, stop: reporting.stop }
}
const order = async (action: 'open' | 'reset', breaker = 'payments.simulator') => {
  const [row] = await edge`select ops.order_breaker(${breaker}, ${action}, 'maintenance', 'alex') as ordered`
  return row?.ordered
}
const statesOf = async (process: string) => {
  const [row] = await owner<{ breakers: { name: string; state: string }[] }[]>`
    select breakers from ops.processes where name = ${process}`
  return row?.breakers.map(({ state }) => state)
}
async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await Bun.sleep(10)
}
const sees = (process: string, state: string) => until(async () => (await statesOf(process))?.[0] === state)
const open = () => new AbortController().signal

test('a process tells of its breakers at once when they change, and takes its leave when it ends', async () => {
  const it = startProcess('host-1')
  await sees('host-1', 'closed')
  const fails = async () => {
    throw new Error('503')
  }
  for (let n = 0; n < 3; n++) await it.remote.ask(fails, open())
  await sees('host-1', 'open')
  const [row] = await owner`select services, breakers from ops.processes where name = 'host-1'`
  expect(row).toMatchObject({ services: ['payments'], breakers: [{ lastFailure: { reason: '503' } }] })
  await it.stop()
  expect(await statesOf('host-1')).toBeUndefined()
})

test('an order reaches every process that calls the remote side, and holds for those that start later', async () => {
  const before = [
    startProcess('host-2'),
    startProcess('host-3'),
    startProcess('host-4', ['shipping.carrier']),
  ]
  await Promise.all([sees('host-2', 'closed'), sees('host-3', 'closed'), sees('host-4', 'closed')])
  expect(await order('open')).toBe(true)
  await Promise.all([sees('host-2', 'isolated'), sees('host-3', 'isolated')])
  expect(await statesOf('host-4')).toEqual(['closed'])
  const later = startProcess('host-5')
  await sees('host-5', 'isolated')
  expect(later.remote.view().because).toBe('maintenance')

  expect(await order('reset')).toBe(true)
  await Promise.all(['host-2', 'host-3', 'host-5'].map(process => sees(process, 'closed')))
  await Promise.all([...before, later].map(({ stop }) => stop()))
})

test('twice is once: an order that was carried out is not carried out again', async () => {
  const it = startProcess('host-6')
  await sees('host-6', 'closed')
  await order('open')
  await order('open')
  await sees('host-6', 'isolated')
  await order('reset')
  await order('reset')
  await sees('host-6', 'closed')
  it.remotes.obey([{ id: 1_000_000, breaker: 'payments.simulator', action: 'open', because: null }])
  it.remotes.obey([{ id: 1_000_000, breaker: 'payments.simulator', action: 'open', because: null }])
  it.remote.close()
  it.remotes.obey([{ id: 1_000_000, breaker: 'payments.simulator', action: 'open', because: null }])
  expect(it.remote.view().state).toBe('closed')
  await it.stop()
})

test('a process is seen whatever a remote side says', async () => {
  const it = startProcess('host-8')
  await sees('host-8', 'closed')
  const fails = async () => {
    throw new NotSent('not sent', { cause: new Error(`\0\ud800${'x'.repeat(100_000)}`) })
  }
  for (let n = 0; n < 3; n++) await it.remote.ask(fails, open())
  await sees('host-8', 'open')
  const [row] = await owner<{ reason: string }[]>`
    select breakers -> 0 -> 'lastFailure' ->> 'reason' as reason from ops.processes where name = 'host-8'`
  expect(row?.reason).toMatch(/^not sent: .x+$/u)
  expect(row?.reason.length).toBeLessThan(5_000)
  await it.stop()
})

test('nobody can order about a remote side that no process calls', async () => {
  expect(await order('open', 'payments.nobody')).toBe(false)
  expect(await owner`select from ops.breaker_orders where breaker = 'payments.nobody'`).toHaveLength(0)
})

test('two remote sides of one process have two names', () => {
  const remotes = createRemotes({ log: testLog, nowMs: Date.now, onChange: () => {} })
  remotes.open({ name: 'payments.simulator', timeoutMs: 1 })
  expect(() => remotes.open({ name: 'payments.simulator', timeoutMs: 1 })).toThrow('payments.simulator')
})

test('a process that fell silent an hour ago is forgotten', async () => {
  await owner`insert into ops.processes values ('gone', '{orders}', '[]', now() - interval '61 minutes'),
    ('quiet', '{orders}', '[]', now() - interval '59 minutes')`
  const it = startProcess('host-7')
  await sees('host-7', 'closed')
  expect(
    (await owner`select name from ops.processes where name in ('gone', 'quiet')`).map(row => row.name),
  ).toEqual(['quiet'])
  await it.stop()
})
