import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import type { Sql } from '../../db/client.ts'
import type { OpeningHours } from '../../queues/stores.ts'
import { type TestDatabase, testDatabase } from '../../test/harness.ts'
import { isTimeZone, overlapOf } from './opening-hours.ts'

let database: TestDatabase
let sql: Sql
beforeAll(async () => {
  database = await testDatabase()
  sql = database.sql('catalog')
})
afterAll(() => database.drop())

const at = async (hours: OpeningHours, timeZone: string, moment: string) => {
  const [row] = await sql<{ found: { open: boolean; opensAt: string | null } }[]>`
    select catalog.opening(${sql.json(hours)}, ${timeZone}, ${moment}) as found`
  return row?.found
}
const open = { open: true, opensAt: null }
const closedUntil = (opensAt: string) => ({ open: false, opensAt })
const everyDay = (opens: string, closes: string): OpeningHours =>
  [1, 2, 3, 4, 5, 6, 7].map(day => ({ day, opens, closes }))

describe('a store is open by its own clocks', () => {
  const weekdays = [1, 2, 3, 4, 5].map(day => ({ day, opens: '09:00', closes: '18:00' }))

  test('from the minute it opens until the minute it closes, and says when it opens next', async () => {
    for (const [moment, found] of [
      ['2026-11-20T07:59:59.999Z', closedUntil('2026-11-20T08:00:00.000Z')], // Friday
      ['2026-11-20T08:00:00Z', open],
      ['2026-11-20T16:59:59.999Z', open],
      ['2026-11-20T17:00:00Z', closedUntil('2026-11-23T08:00:00.000Z')],
    ] as const)
      expect([moment, await at(weekdays, 'Europe/Berlin', moment)]).toEqual([moment, found])
  })
  test('wherever it is', async () => {
    expect(await at(weekdays, 'Asia/Tokyo', '2026-11-22T23:59:00Z')).toEqual(
      closedUntil('2026-11-23T00:00:00.000Z'),
    )
    expect(await at(weekdays, 'America/New_York', '2026-11-20T22:59:00Z')).toEqual(open)
  })
  test('past midnight, and from Sunday into Monday', async () => {
    const late: OpeningHours = [{ day: 7, opens: '20:00', closes: '02:00' }]
    expect(await at(late, 'Europe/Berlin', '2026-11-23T00:59:00Z')).toEqual(open)
    expect(await at(late, 'Europe/Berlin', '2026-11-23T01:00:00Z')).toEqual(
      closedUntil('2026-11-29T19:00:00.000Z'),
    )
  })
  test('around the clock, where it closes at the time it opens', async () => {
    for (const opens of ['00:00', '13:00'])
      expect(await at(everyDay(opens, opens), 'Europe/Berlin', '2026-11-23T12:00:00Z')).toEqual(open)
  })
})

describe('on the nights when the clocks change', () => {
  const bar: OpeningHours = [{ day: 6, opens: '20:00', closes: '02:30' }]

  test('in autumn it closes at the second 02:30, and is open without a break until then', async () => {
    for (const [moment, found] of [
      ['2026-10-24T17:59:59Z', closedUntil('2026-10-24T18:00:00.000Z')],
      ['2026-10-24T18:00:00Z', open],
      ['2026-10-25T00:30:00Z', open], // the first 02:30
      ['2026-10-25T01:29:59Z', open],
      ['2026-10-25T01:30:00Z', closedUntil('2026-10-31T19:00:00.000Z')],
    ] as const)
      expect([moment, await at(bar, 'Europe/Berlin', moment)]).toEqual([moment, found])
  })
  test('in spring, without a 02:30, it is open as long as on any other night', async () => {
    for (const [moment, found] of [
      ['2026-03-28T18:59:59Z', closedUntil('2026-03-28T19:00:00.000Z')],
      ['2026-03-29T01:29:59Z', open],
      ['2026-03-29T01:30:00Z', closedUntil('2026-04-04T18:00:00.000Z')],
    ] as const)
      expect([moment, await at(bar, 'Europe/Berlin', moment)]).toEqual([moment, found])
  })
  test('the day after opens by the new time', async () => {
    const morning = everyDay('09:00', '10:00')
    for (const [moment, opensAt] of [
      ['2026-10-24T12:00:00Z', '2026-10-25T08:00:00.000Z'],
      ['2026-03-28T12:00:00Z', '2026-03-29T07:00:00.000Z'],
    ] as const)
      expect(await at(morning, 'Europe/Berlin', moment)).toEqual(closedUntil(opensAt))
  })
  test('on no other day of years does the answer differ from what the clocks show', async () => {
    const hours = [
      { day: 2, opens: '11:30', closes: '14:00' },
      { day: 2, opens: '18:00', closes: '00:30' },
      { day: 7, opens: '22:15', closes: '06:00' },
    ]
    const zones = ['Europe/Berlin', 'America/St_Johns', 'Australia/Lord_Howe', 'Asia/Kathmandu', 'UTC']
    const moment = fc.date({ min: new Date('2020-01-01'), max: new Date('2035-01-01'), noInvalidDate: true })
    await fc.assert(
      fc.asyncProperty(moment, fc.constantFrom(...zones), async (when, timeZone) => {
        const dayAround = [-12, 12].map(hour => offsetOf(new Date(+when + hour * 3_600_000), timeZone))
        fc.pre(dayAround[0] === dayAround[1])
        const { day, time } = wallClock(when, timeZone)
        const shown = hours.some(each =>
          each.opens < each.closes
            ? day === each.day && time >= each.opens && time < each.closes
            : (day === each.day && time >= each.opens) || (day === (each.day % 7) + 1 && time < each.closes),
        )
        const found = await at(hours, timeZone, when.toISOString())
        expect(found?.open).toBe(shown)
        if (!shown) {
          const opens = wallClock(new Date(String(found?.opensAt)), timeZone)
          expect(hours.map(each => `${each.day} ${each.opens}`)).toContain(`${opens.day} ${opens.time}`)
        }
      }),
      { numRuns: 300 },
    )
  })
})

const days = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun']
function wallClock(moment: Date, timeZone: string) {
  const parts = new Intl.DateTimeFormat('en-GB', {
    timeZone,
    weekday: 'short',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  }).formatToParts(moment)
  const part = (type: string) => parts.find(each => each.type === type)?.value ?? ''
  return { day: 1 + days.indexOf(part('weekday')), time: `${part('hour')}:${part('minute')}` }
}
const offsetOf = (moment: Date, timeZone: string) =>
  new Intl.DateTimeFormat('en', { timeZone, timeZoneName: 'longOffset' })
    .formatToParts(moment)
    .find(each => each.type === 'timeZoneName')?.value

describe('openings never overlap', () => {
  test.each<[OpeningHours, string | null]>([
    [[], null],
    [everyDay('00:00', '00:00'), null],
    [everyDay('18:00', '18:00'), null],
    [[{ day: 1, opens: '08:00', closes: '08:00' }], null],
    [
      [
        { day: 1, opens: '12:00', closes: '14:00' },
        { day: 1, opens: '14:00', closes: '15:00' },
      ],
      null,
    ],
    [
      [
        { day: 1, opens: '13:59', closes: '15:00' },
        { day: 1, opens: '12:00', closes: '14:00' },
      ],
      '1 13:59',
    ],
    [
      [
        { day: 7, opens: '22:00', closes: '02:00' },
        { day: 1, opens: '01:00', closes: '03:00' },
      ],
      '1 01:00',
    ],
    [
      [
        { day: 3, opens: '09:00', closes: '12:00' },
        { day: 3, opens: '09:00', closes: '10:00' },
      ],
      '3 09:00',
    ],
  ])('%j: %p', (hours, expected) => {
    const overlap = overlapOf(hours)
    expect(overlap && `${overlap.day} ${overlap.opens}`).toBe(expected)
  })
  test('as if each minute of the week were counted', () => {
    const time = fc.constantFrom('00:00', '00:30', '06:00', '12:00', '18:00', '23:30')
    const opening = fc.record({ day: fc.integer({ min: 1, max: 7 }), opens: time, closes: time })
    fc.assert(
      fc.property(fc.array(opening, { maxLength: 6 }), hours => {
        const taken = new Set<number>()
        let twice = false
        for (const each of hours) {
          const [opens = 0, closes = 0] = [each.opens, each.closes].map(
            text => 2 * Number(text.slice(0, 2)) + Number(text.slice(3)) / 30,
          )
          for (let half = opens; half < (closes > opens ? closes : closes + 48); half++) {
            const at = ((each.day - 1) * 48 + half) % 336
            twice ||= taken.has(at)
            taken.add(at)
          }
        }
        expect(overlapOf(hours) !== null).toBe(twice)
      }),
      { numRuns: 2_000 },
    )
  })
})

test('a time zone has a name that is on the list', async () => {
  for (const name of ['Europe/Berlin', 'America/Argentina/Ushuaia', 'UTC'])
    expect(isTimeZone(name)).toBe(true)
  for (const name of ['Europe/Bonn', 'CEST', 'Mars', ''])
    expect([name, isTimeZone(name)]).toEqual([name, false])
  const known = Intl.supportedValuesOf('timeZone')
  const [row] = await sql<{ unknown: string[] }[]>`
    select coalesce(array_agg(name), '{}') as unknown from unnest(${known}::text[]) as name
    where not catalog.knows_time_zone(name)`
  expect(row?.unknown).toEqual([])
  const [wrong] = await sql`select catalog.knows_time_zone('Europe/Bonn') as known`
  expect(wrong?.known).toBe(false)
})
