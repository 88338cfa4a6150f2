import type { OpeningHours } from '../../queues/stores.ts'

type Opening = OpeningHours[number]

/** True if this runtime knows the time zone. */
export function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name })
    return true
  } catch {
    return false
  }
}

const dayMinutes = 24 * 60
const weekMinutes = 7 * dayMinutes

/** An opening that begins while another lasts; the week goes round. Null if there is none. */
export function overlapOf(hours: readonly Opening[]): Opening | null {
  const spans = hours.map(spanOf).sort((one, other) => one.start - other.start)
  for (const [at, span] of spans.entries()) {
    const next = spans[at + 1] ?? { ...(spans[0] ?? span), start: (spans[0] ?? span).start + weekMinutes }
    if (span.start + span.lasts > next.start) return next.opening
  }
  return null
}

function spanOf(opening: Opening) {
  const opens = minutesOf(opening.opens)
  const lasts = (minutesOf(opening.closes) - opens + dayMinutes) % dayMinutes
  return { opening, start: (opening.day - 1) * dayMinutes + opens, lasts: lasts || dayMinutes }
}

const minutesOf = (time: string): number => Number(time.slice(0, 2)) * 60 + Number(time.slice(3))
