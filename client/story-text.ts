import type { StoryBody } from '../edge/command-view.ts'
import { type Paint, plain, type Tone } from './paint.ts'

type StoryCommand = StoryBody['commands'][number]
type StoryAttempt = StoryCommand['attempts'][number]
type StoryEvent = StoryBody['events'][number]

/** The request that started the story, as whoever sent it saw it. */
export interface SentRequest {
  /** Such as `POST /v1/orders`. */
  readonly line: string
  readonly status: number
  /** By the clock of whoever sent it. */
  readonly sentAt: Date
  readonly tookMs: number
}

/** One line of the tree. Times in milliseconds since 1970, and how long it took; null: not known (yet). */
interface Row {
  readonly atMs: number
  readonly tookMs: number | null
  readonly name: string
  readonly outcome: string
  readonly tone: Tone
  readonly children: readonly Row[]
}

/**
 * The answer of `GET /v1/commands/{id}/story` as a tree for people: request, commands, attempts, events and what
 * followed from them, each with the time since the beginning and how long it took. Ends without a line break.
 */
export function storyText(
  story: StoryBody,
  { request, paint = plain }: { readonly request?: SentRequest; readonly paint?: Paint } = {},
): string {
  const roots = rootsOf(story)
  const lines = (request ? [requestRow(request, roots)] : roots).flatMap(root => linesOf(root))
  const beginMs = lines[0]?.row.atMs ?? 0
  const width = Math.max(...lines.map(({ lead, row }) => lead.length + row.name.length))
  const header = paint(`${'at'.padStart(timeWidth)}${'took'.padStart(timeWidth)}`, 'faint')
  return [header, ...lines.map(line => format(line, { beginMs, width, paint }))].join('\n')
}

/** `24 ms`, `1.24 s`, `2m 05s`, `3h 20m`, `2d 04h`. */
export function durationText(ms: number): string {
  if (Math.round(ms) < 1_000) return `${Math.round(ms)} ms`
  if (Math.round(ms / 10) < 6_000) return `${(ms / 1_000).toFixed(2)} s`
  const seconds = Math.round(ms / 1_000)
  if (seconds < 3_600) return parts(seconds, 60, 'm', 's')
  if (seconds < 86_400) return parts(Math.floor(seconds / 60), 60, 'h', 'm')
  return parts(Math.floor(seconds / 3_600), 24, 'd', 'h')
}

const parts = (small: number, perLarge: number, large: string, unit: string) =>
  `${Math.floor(small / perLarge)}${large} ${String(small % perLarge).padStart(2, '0')}${unit}`

/** What has no visible parent stands at the top: a reader may see only some of a story. */
function rootsOf({ commands, events }: StoryBody): readonly Row[] {
  const ids = new Set([...commands, ...events].map(({ id }) => id))
  const visible = (id: string | null) => (id !== null && ids.has(id) ? id : null)
  const commandsOf = Map.groupBy(commands, ({ eventId, parentId }) => visible(eventId) ?? visible(parentId))
  const eventsOf = Map.groupBy(events, ({ commandId }) => visible(commandId))

  const below = (id: string | null): Row[] =>
    [
      ...(eventsOf.get(id) ?? []).map(event => eventRow(event, below(event.id))),
      ...(commandsOf.get(id) ?? []).map(command => commandRow(command, below(command.id))),
    ].sort((a, b) => a.atMs - b.atMs)
  return below(null)
}

const requestRow = ({ line, status, sentAt, tookMs }: SentRequest, children: readonly Row[]): Row => ({
  atMs: sentAt.getTime(),
  tookMs,
  name: line,
  outcome: String(status),
  tone: status < 400 ? 'good' : 'bad',
  children,
})

function commandRow(command: StoryCommand, consequences: readonly Row[]): Row {
  const atMs = Date.parse(command.acceptedAt)
  const isOneOfMany = command.attempts.length > 1
  return {
    atMs,
    tookMs: command.settledAt === null ? null : Date.parse(command.settledAt) - atMs,
    name: command.command,
    outcome: command.refusal
      ? `${command.state} ${command.refusal.code}: ${command.refusal.title}`
      : command.state,
    tone: tones[command.state],
    children: [...command.attempts.map(attempt => attemptRow(attempt, isOneOfMany)), ...consequences],
  }
}

function attemptRow(
  { number, worker, startedAt, endedAt, outcome, error }: StoryAttempt,
  namesWorker: boolean,
): Row {
  const atMs = Date.parse(startedAt)
  const why = error ? ` ${error.name}: ${error.message}` : ''
  return {
    atMs,
    tookMs: endedAt === null ? null : Date.parse(endedAt) - atMs,
    name: `attempt ${number}`,
    outcome: `${outcome}${namesWorker ? ` on ${worker}` : ''}${why}`,
    tone: tones[outcome],
    children: [],
  }
}

const eventRow = ({ event, emittedAt }: StoryEvent, children: readonly Row[]): Row => ({
  atMs: Date.parse(emittedAt),
  tookMs: null,
  name: event,
  outcome: 'event',
  tone: 'faint',
  children,
})

const tones = {
  accepted: 'plain',
  running: 'plain',
  waiting: 'warn',
  retrying: 'warn',
  lost: 'warn',
  succeeded: 'good',
  rejected: 'warn',
  dead: 'bad',
} as const satisfies Record<StoryAttempt['outcome'], Tone>

interface Line {
  readonly row: Row
  /** The branches that lead to it. */
  readonly lead: string
}

function linesOf(row: Row, lead = '', below = ''): readonly Line[] {
  const last = row.children.length - 1
  return [
    { row, lead },
    ...row.children.flatMap((child, at) =>
      linesOf(child, `${below}${at === last ? '└─ ' : '├─ '}`, `${below}${at === last ? '   ' : '│  '}`),
    ),
  ]
}

const timeWidth = 10
const outcomeMax = 100

function format(
  { row, lead }: Line,
  { beginMs, width, paint }: { beginMs: number; width: number; paint: Paint },
): string {
  const at = durationText(row.atMs - beginMs).padStart(timeWidth)
  const took = (row.tookMs === null ? '' : durationText(row.tookMs)).padStart(timeWidth)
  const name = oneLine(row.name).padEnd(width - lead.length)
  const outcome = oneLine(row.outcome)
  return `${paint(at, 'faint')}${took}  ${paint(lead, 'faint')}${name}  ${paint(outcome, row.tone)}`
}

/** Messages of others may hold line breaks, and what a terminal takes for orders. */
function oneLine(text: string): string {
  const line = text.replaceAll(/[\p{Cc}\p{Cf}]+/gu, ' ')
  return line.length > outcomeMax ? `${line.slice(0, outcomeMax - 3)}...` : line
}
