// `bun run chaos`: breaks living shops at every step of every story, and says what became of the orders.

import { parseArgs } from 'node:util'
import { type Case, faultOf, inOrderOf, kindOf, kinds, titleOf } from './chaos/cases.ts'
import { toJson, toText } from './chaos/report.ts'
import { everyCase, runAll } from './chaos/run.ts'
import { openPremises, type Premises } from './chaos/shop.ts'
import { stories } from './chaos/stories.ts'
import type { Story } from './chaos/story.ts'
import { endChildren } from './children.ts'

const help = `bun run chaos [--cases 60 | --all] [--seed 1] [--minutes 10] [--story NAME] [--fault KIND] [--only FAULT]
              [--list] [--json]

A story is what customer, merchant, provider, carrier and clock do with one order. Undisturbed it passes dozens of
requests to Postgres and Redis; each case plays it in a shop on servers of its own and breaks one thing:
  undisturbed  nothing
  killed       at one of these requests, before or after the server has carried it out, the process dies (SIGKILL)
               and is started again
  cut          the connection of that request is lost, and the process lives on
  provider     the provider's answers fail before or after they take effect, or its webhooks go wrong
  carrier      the same of the carrier
  at once      the acts of the story come at the same time
Whoever got no answer asks again with the same idempotency key. Then nothing may be open, every invariant must hold,
the books of the provider must agree with ours, and the order must be in a state that a person would call right.

  --cases N     as many cases, chosen by the seed (60)
  --all         every case
  --seed N      another choice, and other gaps between what comes at once; the same number is the same run (1)
  --minutes N   begin no case after so long (no limit)
  --story NAME  only of this story
  --fault KIND  only of this kind, such as provider
  --only FAULT  only this one, as a report names it, such as 'killed after postgres commit (2)'
  --list        what the stories are
  --json        the report as JSON

Ends with 0 if nothing was lost, doubled or broken, 1 otherwise, and 2 if it could not be run.`

async function main(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      cases: { type: 'string', default: '60' },
      all: { type: 'boolean' },
      seed: { type: 'string', default: '1' },
      minutes: { type: 'string' },
      story: { type: 'string' },
      fault: { type: 'string' },
      only: { type: 'string' },
      list: { type: 'boolean' },
      json: { type: 'boolean' },
      help: { type: 'boolean' },
    },
  })
  if (values.help) return say(help, 0)
  if (values.list) return say(stories.map(({ name, says }) => `${name.padEnd(20)} ${says}`).join('\n'), 0)
  const [count, seed] = [Number(values.cases), Number(values.seed)]
  if (!Number.isInteger(count) || count < 1) throw new Error('--cases must be a number above 0')
  if (!Number.isInteger(seed)) throw new Error('--seed must be a whole number')
  const minutes = Number(values.minutes ?? Number.POSITIVE_INFINITY)
  if (!(minutes > 0)) throw new Error('--minutes must be a number above 0')
  const chosenStories = storiesNamed(values.story)
  const isChosen = isOfKind(values.fault)
  const only = onlyCases(chosenStories, values.only)
  const startedAt = Date.now()
  const premises = await openPremises()
  try {
    const possible = only ?? (await everyCase(chosenStories, premises)).filter(isChosen)
    const cases = values.all || only ? inOrderOf(seed, possible) : inOrderOf(seed, possible).slice(0, count)
    const results = await run(cases, premises, { seed, deadline: startedAt + minutes * 60_000 })
    const report = { results, seed, possible: possible.length, ms: Date.now() - startedAt }
    const isRight = results.every(({ verdict }) => verdict === 'right')
    return say(values.json ? toJson(report) : toText(report), isRight ? 0 : 1)
  } finally {
    await endChildren()
    await premises.close()
  }
}

function say(text: string, code: number): number {
  console.log(text)
  return code
}

function storiesNamed(name: string | undefined): readonly Story[] {
  const named = stories.filter(story => name === undefined || story.name === name)
  if (named.length === 0) throw new Error(`--story: there is no ${name}; --list says which there are`)
  return named
}

/** The same fault in each of them. */
function onlyCases(named: readonly Story[], title: string | undefined): readonly Case[] | null {
  if (title === undefined) return null
  const fault = faultOf(title)
  if (fault === null) throw new Error(`--only: there is no fault '${title}'`)
  return named.map(story => ({ story, fault }))
}

function isOfKind(kind: string | undefined): (each: Case) => boolean {
  if (kind !== undefined && !kinds.includes(kind)) throw new Error(`--fault is one of ${kinds.join(', ')}`)
  return ({ fault }) => kind === undefined || kindOf(fault) === kind
}

const run = (
  cases: readonly Case[],
  premises: Premises,
  { seed, deadline }: { readonly seed: number; readonly deadline: number },
) =>
  runAll(cases, {
    premises,
    seed,
    deadline,
    tell: ({ verdict, story, fault, ms }, done) =>
      console.error(
        `${String(done).padStart(4)} of ${cases.length}  ${verdict.padEnd(8)} ${story.name}, ${titleOf(fault)} (${ms} ms)`,
      ),
  })

try {
  process.exit(await main(process.argv.slice(2)))
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exit(2)
}
