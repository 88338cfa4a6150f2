import { describe, expect, test } from 'bun:test'
import type { StoryBody } from '../edge/command-view.ts'
import { coloured, paintFor, plain } from './paint.ts'
import { durationText, storyText } from './story-text.ts'

type StoryCommand = StoryBody['commands'][number]
type StoryEvent = StoryBody['events'][number]
type Attempt = StoryCommand['attempts'][number]

describe('a story', () => {
  const paid: StoryBody = {
    commands: [
      command('orders.place', { at: 2, settled: 24, attempts: [attempt(1, 8, 24)] }),
      command('payments.charge', {
        parent: 'orders.place',
        at: 24,
        settled: 1_224,
        attempts: [
          {
            ...attempt(1, 30, 40),
            outcome: 'retrying',
            error: { name: 'Timeout', message: 'no\u001b[31m\nanswer' },
          },
          { ...attempt(2, 1_040, null), outcome: 'lost' },
          { ...attempt(3, 1_100, 1_224), worker: 'w-2' },
        ],
      }),
      command('orders.confirm-payment', {
        parent: 'payments.charge',
        event: 'payment.captured',
        at: 1_224,
        settled: 1_234,
        attempts: [attempt(1, 1_228, 1_234)],
      }),
      command('notifications.mail-order-paid', {
        parent: 'orders.confirm-payment',
        event: 'order.paid',
        at: 1_234,
        attempts: [{ ...attempt(1, 1_236, null), outcome: 'running' }],
      }),
    ],
    events: [
      emitted('order.placed', 'orders.place', 24),
      emitted('payment.captured', 'payments.charge', 1_224),
      emitted('order.paid', 'orders.confirm-payment', 1_234),
    ],
  }

  test('is a tree of request, commands, attempts, events and what followed from them, with times', () => {
    const request = { line: 'POST /v1/orders', status: 202, sentAt: new Date(t0), tookMs: 6.2 }
    expect(`\n${storyText(paid, { request })}\n`).toBe(`
        at      took
      0 ms      6 ms  POST /v1/orders                                  202
      2 ms     22 ms  └─ orders.place                                  succeeded
      8 ms     16 ms     ├─ attempt 1                                  succeeded
     24 ms               ├─ order.placed                               event
     24 ms    1.20 s     └─ payments.charge                            succeeded
     30 ms     10 ms        ├─ attempt 1                               retrying on w-1 Timeout: no [31m answer
    1.04 s                  ├─ attempt 2                               lost on w-1
    1.10 s    124 ms        ├─ attempt 3                               succeeded on w-2
    1.22 s                  └─ payment.captured                        event
    1.22 s     10 ms           └─ orders.confirm-payment               succeeded
    1.23 s      6 ms              ├─ attempt 1                         succeeded
    1.23 s                        └─ order.paid                        event
    1.23 s                           └─ notifications.mail-order-paid  running
    1.24 s                              └─ attempt 1                   running
`)
  })

  test('begins with its first command when the request is not known, and shows what has no visible parent', () => {
    const seen = { commands: paid.commands.slice(2, 3), events: [] }
    expect(`\n${storyText(seen)}\n`).toBe(`
        at      took
      0 ms     10 ms  orders.confirm-payment  succeeded
      4 ms      6 ms  └─ attempt 1            succeeded
`)
  })

  test('says why a command was refused', () => {
    const refused: StoryCommand = {
      ...command('orders.place', { at: 0, settled: 5 }),
      state: 'rejected',
      refusal: { code: 'out_of_stock', status: 409, title: 'Not enough pieces are left.', detail: null },
    }
    expect(storyText({ commands: [refused], events: [] })).toContain(
      'orders.place  rejected out_of_stock: Not enough pieces are left.',
    )
  })

  test('of nothing is no error', () => {
    expect(storyText({ commands: [], events: [] })).toBe('        at      took')
  })

  test('has the same text with colours as without', () => {
    const text = storyText(paid, { paint: coloured })
    expect(text).toContain('\u001b[32msucceeded')
    expect(Bun.stripANSI(text)).toBe(storyText(paid))
  })
})

test.each([
  [0.4, '0 ms'],
  [999.4, '999 ms'],
  [999.6, '1.00 s'],
  [59_994, '59.99 s'],
  [59_996, '1m 00s'],
  [125_000, '2m 05s'],
  [12_000_000, '3h 20m'],
  [187_200_000, '2d 04h'],
])('%p ms are %p', (ms, text) => {
  expect(durationText(ms)).toBe(text)
})

describe('colours', () => {
  test('are for terminals, and for nobody who does not want them', () => {
    expect(paintFor({ isTTY: true }, {})).toBe(coloured)
    expect(paintFor({ isTTY: true }, { NO_COLOR: '1' })).toBe(plain)
    expect(paintFor({ isTTY: true }, { TERM: 'dumb' })).toBe(plain)
    expect(paintFor({}, {})).toBe(plain)
  })
})

const t0 = Date.UTC(2026, 0, 1)
function instant(ms: number): string {
  return new Date(t0 + ms).toISOString()
}

type Given = { parent?: string; event?: string; at: number; settled?: number; attempts?: Attempt[] }

function command(name: string, { parent, event, at, settled, attempts = [] }: Given): StoryCommand {
  return {
    id: name,
    command: name,
    parentId: parent ?? null,
    eventId: event ?? null,
    state: settled === undefined ? 'running' : 'succeeded',
    acceptedAt: instant(at),
    settledAt: settled === undefined ? null : instant(settled),
    attempts,
  }
}

function attempt(number: number, from: number, to: number | null): Attempt {
  return {
    number,
    worker: 'w-1',
    startedAt: instant(from),
    endedAt: to === null ? null : instant(to),
    outcome: 'succeeded',
  }
}

function emitted(event: string, by: string, at: number): StoryEvent {
  return { id: event, event, commandId: by, emittedAt: instant(at) }
}
