import { describe, expect, test } from 'bun:test'
import { createAsk, createRemote, NotSent, RemoteRefusal } from './ask.ts'

const never = () => new Promise<never>(() => {})
const asking = (timeoutMs: number) => createAsk({ name: 'test.remote', timeoutMs })
const open = () => new AbortController().signal

test('an answer is passed on', async () => {
  expect(await asking(1_000)(async () => 'yes', open())).toEqual({ kind: 'answer', answer: 'yes' })
})

test('silence and every unexpected error are unknown: it may have had its effect', async () => {
  const ask = asking(10)
  expect(await ask(never, open())).toMatchObject({ kind: 'unknown' })
  const reset = async () => {
    throw new Error('connection reset')
  }
  expect(await ask(reset, open())).toMatchObject({ kind: 'unknown', because: 'connection reset' })
})

test('the signal given to the call ends when its time is up', async () => {
  const ended = Promise.withResolvers<void>()
  const call = (signal: AbortSignal) => {
    signal.addEventListener('abort', () => ended.resolve())
    return never()
  }
  await asking(10)(call, open())
  await ended.promise
})

test('a request that was not sent may be sent again soon', async () => {
  const refused = async () => {
    throw new NotSent('connection refused')
  }
  expect(await asking(1_000)(refused, open())).toMatchObject({ kind: 'not_sent', restMs: 5_000 })
})

test('what the remote side calls wrong is a bug, and what the worker interrupts is no answer: both are thrown', async () => {
  const refusal = async () => {
    throw new RemoteRefusal('other terms')
  }
  await expect(asking(1_000)(refusal, open())).rejects.toThrow('other terms')
  const controller = new AbortController()
  const asked = asking(1_000)(never, controller.signal)
  controller.abort(new Error('draining'))
  await expect(asked).rejects.toThrow('draining')
})

test('a remote side that keeps failing is left alone; one that answers most of the time is not', async () => {
  let calls = 0
  const fails = async () => {
    calls++
    throw new Error('500')
  }
  const broken = asking(1_000)
  const replies = []
  for (let n = 0; n < 200; n++) replies.push((await broken(fails, open())).kind)
  expect(replies.at(-1)).toBe('not_sent')
  expect(calls).toBe(replies.filter(kind => kind === 'unknown').length)
  expect(calls).toBeLessThan(200)

  const healthy = asking(1_000)
  for (let n = 0; n < 200; n++) {
    const reply = await healthy(n % 5 === 0 ? fails : async () => n, open())
    expect(reply.kind).not.toBe('not_sent')
  }
})

describe('an operator', () => {
  const deps = { nowMs: Date.now, onChange: () => {} }
  const failsWith = (reason: string) => async () => {
    throw new Error(reason)
  }
  const breaks = { name: 'test.remote', timeoutMs: 1_000, failuresInARow: 3 }

  test('sees since when and why a remote side is left alone, and when it is tried again', async () => {
    const changes: string[] = []
    const remote = createRemote(breaks, { ...deps, onChange: ({ state }) => changes.push(state) })
    expect(remote.view()).toMatchObject({ state: 'closed', calls: 0, lastFailure: null, nextTryAt: null })
    for (let n = 0; n < 4; n++) await remote.ask(failsWith(`refused ${n}`), open())
    const { since, nextTryAt, ...seen } = remote.view()
    expect(seen).toMatchObject({ name: 'test.remote', state: 'open', calls: 3, failures: 3, because: null })
    expect(seen.lastFailure?.reason).toBe('refused 2')
    expect(Number(nextTryAt) - Number(since)).toBe(5_000)
    expect(changes).toEqual(['open'])
  })

  test('opens it by hand: nothing is called, not even after a while, until it is reset', async () => {
    const remote = createRemote(breaks, deps)
    remote.isolate('they asked us to stop')
    remote.isolate('they asked us to stop until noon')
    let calls = 0
    const call = async () => ++calls
    expect(await remote.ask(call, open())).toEqual({ kind: 'not_sent', restMs: 5_000, cause: null })
    expect(remote.view()).toMatchObject({ state: 'isolated', because: 'they asked us to stop until noon' })
    remote.close()
    expect(await remote.ask(call, open())).toEqual({ kind: 'answer', answer: 1 })
    expect(remote.view()).toMatchObject({ state: 'closed', because: null })
  })

  test('resets it: it is called at once, and what failed before counts no longer', async () => {
    const changes: string[] = []
    const remote = createRemote(breaks, { ...deps, onChange: ({ state }) => changes.push(state) })
    for (let n = 0; n < 3; n++) await remote.ask(failsWith('500'), open())
    remote.close()
    remote.close()
    expect(changes).toEqual(['open', 'closed'])
    expect(remote.view()).toMatchObject({ state: 'closed', calls: 0, failures: 0 })
    for (let n = 0; n < 2; n++)
      expect(await remote.ask(failsWith('500'), open())).toMatchObject({ kind: 'unknown' })
    expect(remote.view().state).toBe('closed')
  })

  test('a call that was under way when it was opened by hand does not change that', async () => {
    const remote = createRemote(breaks, deps)
    const [well, badly] = [Promise.withResolvers<string>(), Promise.withResolvers<string>()]
    const asked = [well, badly].map(({ promise }) => remote.ask(() => promise, open()))
    remote.isolate('')
    well.resolve('yes')
    badly.reject(new Error('late'))
    expect(await Promise.all(asked)).toMatchObject([{ kind: 'answer' }, { kind: 'unknown' }])
    expect(remote.view().state).toBe('isolated')
  })
})

test('what the worker interrupts and what is refused are no failures of the remote side', async () => {
  const remote = createRemote(
    { name: 'test.remote', timeoutMs: 1_000, failuresInARow: 3 },
    { nowMs: Date.now, onChange: () => {} },
  )
  for (let n = 0; n < 10; n++) {
    const controller = new AbortController()
    const asked = remote.ask(never, controller.signal)
    controller.abort(new Error('draining'))
    await expect(asked).rejects.toThrow('draining')
    const refused = async () => {
      throw new RemoteRefusal('other terms')
    }
    await expect(remote.ask(refused, open())).rejects.toThrow('other terms')
  }
  expect(remote.view()).toMatchObject({ state: 'closed', failures: 0, lastFailure: null })
})

test('it rests from the failures on until it may be tried again, and while an operator isolates it', async () => {
  let now = 1_000_000
  const options = { name: 'test.remote', timeoutMs: 1_000, failuresInARow: 2 }
  const { ask, isolate, close } = createRemote(options, { nowMs: () => now, onChange: () => {} })
  const fail = () => ask(() => Promise.reject(new Error('500')), open())
  await fail()
  expect(ask.isResting()).toBe(false)
  await fail()
  expect(ask.isResting()).toBe(true)
  now += 4_999
  expect(ask.isResting()).toBe(true)
  now += 1
  expect(ask.isResting()).toBe(false)
  close()
  expect(ask.isResting()).toBe(false)
  isolate('by hand')
  now += 60_000
  expect(ask.isResting()).toBe(true)
  close()
  expect(ask.isResting()).toBe(false)
})
