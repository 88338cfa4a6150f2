import { expect, test } from 'bun:test'
import { createAsk, NotSent, RemoteRefusal } from './ask.ts'

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
  expect(await ask(reset, open())).toEqual({ kind: 'unknown', because: 'connection reset' })
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
