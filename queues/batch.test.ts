import { expect, test } from 'bun:test'
import type { Tx } from '../db/transaction.ts'
import { batch, oneStatement, oneStatementPerTransaction } from './batch.ts'

const together = { sizeMax: 100, isOfOneItem: () => true }

test('calls of one moment are one; what comes meanwhile is the next, and each has its own answer', async () => {
  const sizes: number[] = []
  const double = batch(async (items: readonly number[]) => {
    sizes.push(items.length)
    await Bun.sleep(20)
    return items.map(item => item * 2)
  }, together)
  const first = [1, 2, 3].map(double)
  await Bun.sleep(10)
  const second = [4, 5].map(double)
  expect(await Promise.all([...first, ...second])).toEqual([2, 4, 6, 8, 10])
  expect(sizes).toEqual([3, 2])
})

test('no call takes more than it may', async () => {
  const sizes: number[] = []
  const same = batch(
    async (items: readonly number[]) => {
      sizes.push(items.length)
      return items
    },
    { ...together, sizeMax: 2 },
  )
  expect(await Promise.all([1, 2, 3, 4, 5].map(same))).toEqual([1, 2, 3, 4, 5])
  expect(sizes).toEqual([2, 2, 1])
})

test('what one item is to blame for, it fails with alone; what none is to blame for, all fail with', async () => {
  const away = Object.assign(new Error('gone'), { code: 'ECONNRESET' })
  let failure: Error = new Error('bad item')
  let calls = 0
  const work = oneStatement(async (items: readonly string[]) => {
    calls++
    if (items.includes('bad')) throw failure
    return items
  })
  const tryAll = () => Promise.allSettled(['good', 'bad', 'fine'].map(work))
  expect((await tryAll()).map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
  expect(calls).toBe(4)
  failure = away
  expect((await tryAll()).map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected'])
  expect(calls).toBe(5)
})

test('a call that hangs does not hold up the next for long', async () => {
  let calls = 0
  const work = batch(async (items: readonly number[]) => {
    if (++calls === 1) await new Promise<never>(() => {})
    return items
  }, together)
  void work(1)
  await Bun.sleep(5)
  const startedAt = performance.now()
  expect(await work(2)).toBe(2)
  expect(performance.now() - startedAt).toBeLessThan(10_000)
})

test('statements are joined within a transaction, and not across two', async () => {
  const seen: [Tx, number[]][] = []
  const work = oneStatementPerTransaction(async (tx, items: readonly number[]) => {
    seen.push([tx, [...items]])
    return items
  })
  const [one, other] = [{}, {}] as [Tx, Tx]
  await Promise.all([work(one, 1), work(other, 2), work(one, 3)])
  expect(seen).toEqual([
    [one, [1, 3]],
    [other, [2]],
  ])
})
