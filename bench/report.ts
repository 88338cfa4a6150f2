import type { Goal, Measurement } from './measure.ts'

/** One line of JSON, with what it was measured on. */
export const toLine = (
  { median, min, max, p50, p99, ...rest }: Measurement,
  versions: Readonly<Record<string, string>>,
  at: Date,
): string =>
  JSON.stringify({
    ...rest,
    median: rounded(median),
    min: rounded(min),
    max: rounded(max),
    ...(p50 !== undefined && { p50: rounded(p50) }),
    ...(p99 !== undefined && { p99: rounded(p99) }),
    versions,
    at: at.toISOString(),
  })

const rounded = (value: number): number => Number(value.toPrecision(4))

/** All figures side by side, then each goal and whether it is met. */
export function toTable(measurements: readonly Measurement[], goals: readonly Goal[]): string {
  const rows = [
    ['bench', 'case', 'median', 'min - max', 'p50 / p99 ms'],
    ...measurements.map(each => [
      each.bench,
      each.case,
      `${shown(each.median)} ${each.unit}`,
      `${shown(each.min)} - ${shown(each.max)}`,
      each.p50 === undefined || each.p99 === undefined ? '' : `${shown(each.p50)} / ${shown(each.p99)}`,
    ]),
  ]
  const met = ({ what, demanded, measured, met }: Goal) =>
    `${met ? 'met    ' : 'MISSED '} ${what}: ${measured} (demanded ${demanded})`
  return `${aligned(rows)}\n\n${goals.map(met).join('\n')}\n`
}

const shown = (value: number): string =>
  value.toLocaleString('en', { maximumFractionDigits: value < 100 ? 1 : 0 })

function aligned(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map(row => row[column]?.length ?? 0)))
  return rows
    .map(row =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
