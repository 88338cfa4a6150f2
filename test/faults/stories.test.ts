import { afterAll, beforeAll, expect, test } from 'bun:test'
import { type Case, faultOf, inOrderOf, titleOf } from './chaos/cases.ts'
import type { Result } from './chaos/play.ts'
import { commandOf } from './chaos/report.ts'
import { everyCase, runAll } from './chaos/run.ts'
import { openPremises } from './chaos/shop.ts'
import { stories } from './chaos/stories.ts'
import type { Story } from './chaos/story.ts'
import { endChildren } from './children.ts'

// A small choice of what `bun run chaos --all` plays, all of it before the first test looks.
const seed = 1
const brokenStories = [
  'paid',
  'approved',
  'late-money',
  'carried',
  'taken-and-cooked',
  'returned-in-part',
  'disputed',
]
const brokenMax = 20
const withinMs = 300_000

let recorded: readonly Case[]
let results: readonly Result[]
let close: () => Promise<void>
beforeAll(async () => {
  const premises = await openPremises()
  close = premises.close
  recorded = await everyCase(stories.filter(isBroken), premises)
  const broken = inOrderOf(seed, recorded).slice(0, brokenMax)
  const cases = [...calmCases, ...new Set([...recorded.filter(isAfterARequestOfAPaidOrder), ...broken])]
  results = await runAll(cases, { premises, seed, deadline: Number.POSITIVE_INFINITY, tell: () => {} })
}, withinMs)
afterAll(async () => {
  await endChildren()
  await close()
})

const isBroken = ({ name }: Story): boolean => brokenStories.includes(name)

/** Each story as it is; one whose acts come at once, twice. */
const calmCases = stories.flatMap((story): readonly Case[] =>
  story.isAtOnce
    ? [1, 2].map(nth => ({ story, fault: { kind: 'at once', nth } }))
    : [{ story, fault: { kind: 'undisturbed' } }],
)
const isAfterARequestOfAPaidOrder = ({ story, fault }: Case): boolean =>
  story.name === 'paid' &&
  fault.kind === 'killed' &&
  fault.moment.when === 'after' &&
  /^(postgres|edge)/.test(fault.moment.step)

test('every story ends in what a person would call right, and twice at once is once', () => {
  const calm = results.filter(({ fault: { kind } }) => kind === 'undisturbed' || kind === 'at once')
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

test('killed, cut off, or let down by its provider anywhere in any story: lost 0, doubled 0, broken 0', () => {
  expect(results.filter(({ struck, fault }) => struck && 'moment' in fault).length).toBeGreaterThan(brokenMax)
  expect(wrong(results)).toEqual([])
})

test('every case has a title of its own, which finds it again', () => {
  const titles = recorded.map(({ story, fault }) => `${story.name} ${titleOf(fault)}`)
  expect(new Set(titles).size).toBe(titles.length)
  expect(recorded.map(({ fault }) => faultOf(titleOf(fault)))).toEqual(recorded.map(({ fault }) => fault))
})

/** What to type to see those again that did not end well. */
const wrong = (some: readonly Result[]): readonly string[] =>
  some
    .filter(({ verdict }) => verdict !== 'right')
    .map(each => `${each.verdict}: ${commandOf(each, seed)}: ${each.because ?? JSON.stringify(each.ending)}`)
