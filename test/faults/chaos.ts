// `bun run chaos`: breaks a living shop at every step of an order, and says what became of the orders.

import { parseArgs } from 'node:util'
import { startMailbox } from '../../deploy/local/mailbox.ts'
import { randomFrom } from '../random.ts'
import { endChildren } from './children.ts'
import { startPrivateServers } from './servers.ts'
import {
  buy,
  type Ending,
  endingOf,
  momentsOfAnOrder,
  onHand,
  openShop,
  type Premises,
  promptInquiries,
  quantity,
  services,
  untilDone,
} from './shop.ts'
import { staggered } from './staggered.ts'
import { type Moment, nameOf } from './steps.ts'

const help = `bun run chaos [--cases 60 | --all] [--seed 1] [--json]

An order passes some thirty requests to Postgres and Redis. Each run opens a shop of its own, strikes at one of them,
before or after the server has carried it out, and lets the shop come back:
  killed  the process dies (SIGKILL) and its services are started again
  cut     the connection is lost, and the process lives on
with a card that is taken, one that is declined, or one whose provider takes the money and does not answer.

  --cases N   as many runs, chosen by the seed (60)
  --all       every step, fault and card
  --seed N    another choice; the same number is the same choice (1)
  --json      the report as JSON

Ends with 0 if nothing was lost, doubled or broken, and 1 otherwise.`

const faults = ['killed', 'cut'] as const

/** What a card must come to, whatever happens meanwhile. */
const cards = {
  pm_card_ok: { state: 'paid', pieces: 'committed', charges: 1 },
  pm_card_declined: { state: 'payment_failed', pieces: 'held', charges: 0 },
  pm_card_timeout: { state: 'paid', pieces: 'committed', charges: 1 },
} as const
type Card = keyof typeof cards

interface Case {
  readonly moment: Moment
  readonly fault: (typeof faults)[number]
  readonly card: Card
}

interface Result extends Case {
  /** False if the moment did not come this time: then nothing was broken. */
  readonly struck: boolean
  readonly verdict: 'right' | 'lost' | 'doubled' | 'broken'
  /** The mail was begun and nobody can tell whether it went out, so that it was not sent again. */
  readonly mailInDoubt: boolean
  readonly ending: Ending | null
}

async function main(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      cases: { type: 'string', default: '60' },
      all: { type: 'boolean' },
      seed: { type: 'string', default: '1' },
      json: { type: 'boolean' },
      help: { type: 'boolean' },
    },
  })
  if (values.help) return say(help, 0)
  const [count, seed] = [Number(values.cases), Number(values.seed)]
  if (!Number.isInteger(count) || count < 1) throw new Error('--cases must be a number above 0')
  if (!Number.isInteger(seed)) throw new Error('--seed must be a whole number')
  const [servers, mailbox] = await Promise.all([startPrivateServers(), startMailbox({ port: 0 })])
  try {
    const premises = { servers, mailbox }
    const all = await everyCase(premises)
    const chosen = values.all ? all : shuffled(all, seed).slice(0, count)
    const results = await runAll(chosen, premises)
    const bad = results.filter(({ verdict }) => verdict !== 'right')
    const report = values.json ? JSON.stringify({ seed, results }) : toReport(results, all.length, seed)
    return say(report, bad.length > 0 ? 1 : 0)
  } finally {
    await endChildren()
    await Promise.all([servers.stop(), mailbox.stop()])
  }
}

function say(text: string, code: number): number {
  console.log(text)
  return code
}

async function everyCase(premises: Premises): Promise<readonly Case[]> {
  const cases: Case[] = []
  for (const card of Object.keys(cards) as Card[])
    for (const moment of await momentsOfAnOrder(premises, card))
      for (const fault of faults) cases.push({ moment, fault, card })
  return cases
}

async function runAll(cases: readonly Case[], premises: Premises): Promise<readonly Result[]> {
  let done = 0
  return staggered(4, cases, async each => {
    const finish = await strike(each, premises)
    return async () => {
      const result = await finish()
      done++
      console.error(
        `${String(done).padStart(4)} of ${cases.length}  ${result.verdict.padEnd(8)} ${titleOf(each)}`,
      )
      return result
    }
  })
}

const titleOf = ({ moment, fault, card }: Case): string => `${fault} ${nameOf(moment)}, ${card}`

async function strike(each: Case, premises: Premises): Promise<() => Promise<Result>> {
  const { moment, fault, card } = each
  const { world, taps, child, close } = await openShop(premises)
  const struck = Promise.withResolvers<boolean>()
  taps.arm(moment, held => {
    if (fault === 'killed') child.kill('SIGKILL')
    else held.cut()
    struck.resolve(true)
  })
  const order = await buy(world, 'TEA', card)
  const isStruck = await Promise.race([struck.promise, Bun.sleep(5_000).then(() => false)])
  return async () => {
    try {
      if (fault === 'killed' && isStruck) {
        await child.ended
        await world.start(services, {}, { SMTP_URL: premises.mailbox.url, ...promptInquiries })
      }
      await untilDone(world, order)
      const ending = await endingOf(world, order, premises)
      return { ...each, struck: isStruck, ...judge(ending, card), ending }
    } catch {
      return { ...each, struck: isStruck, verdict: 'lost', mailInDoubt: false, ending: null }
    } finally {
      await close()
    }
  }
}

function judge(ending: Ending, card: Card): Pick<Result, 'verdict' | 'mailInDoubt'> {
  const right = cards[card]
  const mailInDoubt = ending.delivery === 'unknown'
  const { charges, mails, available } = ending
  if (charges > right.charges || mails > 1 || available < onHand - quantity)
    return { verdict: 'doubled', mailInDoubt }
  if (ending.broken.length > 0 || ending.deadLetters > 0) return { verdict: 'broken', mailInDoubt }
  const isRight =
    ending.state === right.state &&
    ending.pieces === right.pieces &&
    charges === right.charges &&
    (mails === 1 || mailInDoubt)
  return { verdict: isRight ? 'right' : 'lost', mailInDoubt }
}

/** In an order that the seed decides. */
function shuffled<T>(items: readonly T[], seed: number): readonly T[] {
  const chance = randomFrom(seed)
  return items
    .map(item => ({ item, at: chance() }))
    .sort((one, other) => one.at - other.at)
    .map(({ item }) => item)
}

function toReport(results: readonly Result[], possible: number, seed: number): string {
  const columns = faults.flatMap(fault => (['before', 'after'] as const).map(when => ({ fault, when })))
  const steps = [...Map.groupBy(results, ({ moment: { step } }) => step)].sort(([one], [other]) =>
    one.localeCompare(other),
  )
  const width = Math.max(...steps.map(([step]) => step.length))
  const cell = (some: readonly Result[]): string => {
    const right = some.filter(({ verdict }) => verdict === 'right').length
    return some.length === 0 ? '-' : right === some.length ? `${right}` : `${right} of ${some.length}`
  }
  const rows = steps.map(([step, some]) => {
    const cells = columns.map(({ fault, when }) =>
      cell(some.filter(each => each.fault === fault && each.moment.when === when)).padStart(14),
    )
    return `${step.padEnd(width)}${cells.join('')}`
  })
  const head = `${'right, at'.padEnd(width)}${columns.map(({ fault, when }) => `${fault} ${when}`.padStart(14)).join('')}`
  const number = (verdict: Result['verdict']) => results.filter(each => each.verdict === verdict).length
  const bad = results.filter(({ verdict }) => verdict !== 'right')
  return [
    head,
    ...rows,
    '',
    ...bad.map(each => `${each.verdict}: ${titleOf(each)}: ${JSON.stringify(each.ending)}`),
    `${results.length} of ${possible} cases, seed ${seed}: lost ${number('lost')}, doubled ${number('doubled')}, broken ${number('broken')}`,
    `${results.filter(each => !each.struck).length} times the moment did not come; ${results.filter(each => each.mailInDoubt).length} mails in doubt, not sent again`,
  ].join('\n')
}

try {
  process.exit(await main(process.argv.slice(2)))
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exit(2)
}
