import { afterAll, beforeAll, expect, test } from 'bun:test'
import { randomFrom } from '../random.ts'
import { type Case, faultOf, titleOf } from './chaos/cases.ts'
import type { Result } from './chaos/play.ts'
import { commandOf } from './chaos/report.ts'
import { everyCase, runAll } from './chaos/run.ts'
import { openPremises } from './chaos/shop.ts'
import { stories } from './chaos/stories.ts'
import { endChildren } from './children.ts'

// A small choice of what `bun run chaos --all` plays, all of it before the first test looks.
const seed = 1
const struckMax = 16
const withinMs = 300_000

let all: readonly Case[]
let results: readonly Result[]
let close: () => Promise<void>
beforeAll(async () => {
  const premises = await openPremises()
  close = premises.close
  all = await everyCase(stories, premises)
  const chance = randomFrom(seed)
  const struck = all.filter(({ fault }) => 'moment' in fault)
  const some = Array.from({ length: struckMax }, () => struck[Math.floor(chance() * struck.length)] as Case)
  const cases = new Set([...all.filter(isCalm), ...all.filter(isAfterARequestOfAPaidOrder), ...some])
  results = await runAll([...cases], { premises, seed, deadline: Number.POSITIVE_INFINITY, tell: () => {} })
}, withinMs)
afterAll(async () => {
  await endChildren()
  await close()
})

const isCalm = ({ fault: { kind } }: Case): boolean => kind === 'undisturbed' || kind === 'at once'
const isAfterARequestOfAPaidOrder = ({ story, fault }: Case): boolean =>
  story.name === 'paid' &&
  fault.kind === 'killed' &&
  fault.moment.when === 'after' &&
  /^(postgres|edge)/.test(fault.moment.step)

test('every story ends in what a person would call right, and twice at once is once', () => {
  const calm = results.filter(isCalm)
  expect(new Set(calm.map(({ story }) => story))).toEqual(new Set(stories))
  expect(wrong(calm)).toEqual([])
})

test('killed after each request to Postgres of an order, from its placing to its receipt: paid once, with its pieces and one mail', () => {
  const killed = results.filter(isAfterARequestOfAPaidOrder)
  const steps = killed.map(({ fault }) => ('moment' in fault ? fault.moment.step : ''))
  expect(steps.filter(step => step === 'postgres commit').length).toBeGreaterThan(2)
  const mailIsBegun = 'postgres with asked as'
  const mailIsEnded = 'postgres update notifications.deliveries d'
  expect(steps).toEqual(expect.arrayContaining(['edge accept', mailIsBegun, mailIsEnded]))
  expect(wrong(killed)).toEqual([])
})

test('killed or cut off anywhere in any story: lost 0, doubled 0, broken 0', () => {
  expect(results.filter(({ struck }) => struck).length).toBeGreaterThan(struckMax)
  expect(wrong(results)).toEqual([])
})

test('every case has a title of its own, which finds it again', () => {
  const titles = all.map(({ story, fault }) => `${story.name} ${titleOf(fault)}`)
  expect(new Set(titles).size).toBe(titles.length)
  expect(all.map(({ fault }) => faultOf(titleOf(fault)))).toEqual(all.map(({ fault }) => fault))
})

/** What to type to see those again that did not end well. */
const wrong = (some: readonly Result[]): readonly string[] =>
  some
    .filter(({ verdict }) => verdict !== 'right')
    .map(each => `${each.verdict}: ${commandOf(each, seed)}: ${each.because ?? JSON.stringify(each.ending)}`)
