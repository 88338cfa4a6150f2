import { type Case, type Fault, kindOf, titleOf } from './cases.ts'
import type { Result } from './play.ts'

export interface Report {
  readonly results: readonly Result[]
  readonly seed: number
  /** Cases there are of the stories that were chosen. */
  readonly possible: number
  readonly ms: number
}

/** What to type to repeat a case alone. */
export const commandOf = ({ story, fault }: Case, seed: number): string =>
  `bun run chaos --story ${story.name} --only '${titleOf(fault)}'${seed === 1 ? '' : ` --seed ${seed}`}`

export function toText(report: Report): string {
  const { results, seed, possible, ms } = report
  const number = (verdict: Result['verdict']) => results.filter(each => each.verdict === verdict).length
  const bad = results.filter(({ verdict }) => verdict !== 'right')
  const unstruck = results.filter(({ struck }) => !struck).length
  const inDoubt = results.filter(({ ending }) => ending !== null && ending.inDoubt.length > 0).length
  return [
    ...tableOf('right, of the story', results, ({ story }) => story.name),
    '',
    ...(results.some(isAtStep)
      ? [...tableOf('right, at the step', results.filter(isAtStep), stepOf), '']
      : []),
    ...bad.flatMap(each => [
      `${each.verdict}: ${commandOf(each, seed)}`,
      `  ${each.because ?? JSON.stringify(each.ending)}`,
    ]),
    `${results.length} of ${possible} cases, seed ${seed}, ${Math.round(ms / 1_000)} s: lost ${number('lost')}, doubled ${number('doubled')}, broken ${number('broken')}`,
    `${unstruck} times the moment did not come; ${inDoubt} mails in doubt, not sent again`,
  ].join('\n')
}

export const toJson = ({ results, seed, possible, ms }: Report): string =>
  JSON.stringify({
    seed,
    possible,
    ms,
    results: results.map(({ story, fault, ...rest }) => ({
      story: story.name,
      fault: titleOf(fault),
      ...rest,
    })),
  })

const isAtStep = ({ fault }: Result): boolean => fault.kind === 'killed' || fault.kind === 'cut'
const stepOf = ({ fault }: Result): string => ('moment' in fault ? fault.moment.step : fault.kind)
const columnOf = (fault: Fault): string =>
  'moment' in fault ? `${fault.kind} ${fault.moment.when}` : kindOf(fault)

const columns = [
  'undisturbed',
  'killed before',
  'killed after',
  'cut before',
  'cut after',
  'provider',
  'carrier',
  'at once',
]

/** A row for each name, and a column for each kind of fault that came. */
function tableOf(head: string, results: readonly Result[], nameOf: (each: Result) => string): string[] {
  const shown = columns.filter(column => results.some(({ fault }) => columnOf(fault) === column))
  const rows = [...Map.groupBy(results, nameOf)].sort(([one], [other]) => one.localeCompare(other))
  const width = Math.max(head.length, ...rows.map(([name]) => name.length))
  const line = (name: string, cells: readonly string[]): string =>
    `${name.padEnd(width)}${cells.map(cell => cell.padStart(cellWidth)).join('')}`
  return [
    line(head, shown),
    ...rows.map(([name, some]) =>
      line(
        name,
        shown.map(column => cellOf(some.filter(({ fault }) => columnOf(fault) === column))),
      ),
    ),
  ]
}

const cellWidth = 15

function cellOf(some: readonly Result[]): string {
  const right = some.filter(({ verdict }) => verdict === 'right').length
  if (some.length === 0) return '-'
  return right === some.length ? `${right}` : `${right} of ${some.length}`
}
