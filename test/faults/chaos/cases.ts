import { createHash } from 'node:crypto'
import { randomFrom } from '../../random.ts'
import { aroundEach, isPoll, type Moment, nameOf } from '../steps.ts'
import type { Step } from '../tap.ts'
import { type Misbehaviour, misbehaviours } from './misbehave.ts'
import type { Shop } from './shop.ts'
import { openStage } from './stage.ts'
import type { Story } from './story.ts'

export type Fault =
  /** Nothing is broken. */
  | { readonly kind: 'undisturbed' }
  /** The process dies at that moment (SIGKILL) and is started again, or loses that connection and lives on. */
  | { readonly kind: 'killed' | 'cut'; readonly moment: Moment }
  /** A remote side goes wrong. */
  | { readonly kind: 'misbehaviour'; readonly misbehaviour: Misbehaviour }
  /** Its acts come at the same time, as far apart as chance has it. */
  | { readonly kind: 'at once'; readonly nth: number }

export interface Case {
  readonly story: Story
  readonly fault: Fault
}

/** How often a story whose acts come at once is played. */
const turns = 5

export const kinds: readonly string[] = ['undisturbed', 'killed', 'cut', 'provider', 'carrier', 'at once']
export const kindOf = (fault: Fault): string =>
  fault.kind === 'misbehaviour' ? fault.misbehaviour.whose : fault.kind

/** As it is written after `--only`. */
export const titleOf = (fault: Fault): string => {
  switch (fault.kind) {
    case 'undisturbed':
      return fault.kind
    case 'killed':
    case 'cut':
      return `${fault.kind} ${nameOf(fault.moment)}`
    case 'misbehaviour':
      return fault.misbehaviour.title
    case 'at once':
      return `at once (${fault.nth})`
  }
}

/** The fault of that title, or null if there is none: whether its moment comes, the run shows. */
export function faultOf(title: string): Fault | null {
  if (title === 'undisturbed') return { kind: title }
  const misbehaviour = misbehaviours.find(each => each.title === title)
  if (misbehaviour) return { kind: 'misbehaviour', misbehaviour }
  const turn = /^at once \((\d+)\)$/.exec(title)
  if (turn) return { kind: 'at once', nth: Number(turn[1]) }
  const struck = /^(killed|cut) (before|after) (.+?)(?: \((\d+)\))?$/.exec(title)
  if (!struck) return null
  const [, kind, when, step = '', nth = '1'] = struck
  return { kind, moment: { step, nth: Number(nth), when } } as Fault
}

/** In an order that the seed decides for each two of them, whatever others there are: steps may differ by chance. */
export function inOrderOf(seed: number, cases: readonly Case[]): readonly Case[] {
  const placeOf = ({ story, fault }: Case) =>
    createHash('sha256')
      .update(`${seed} ${story.name} ${titleOf(fault)}`)
      .digest('hex')
  return cases
    .map(each => ({ each, place: placeOf(each) }))
    .sort((one, other) => one.place.localeCompare(other.place))
    .map(({ each }) => each)
}

/**
 * Every case of a story; its steps, and whom it asks, are those of a story that nothing disturbs. It is rehearsed first:
 * connections are open then.
 */
export async function casesOf(story: Story, shop: Shop): Promise<readonly Case[]> {
  const faults: readonly Fault[] = story.isAtOnce
    ? Array.from({ length: turns }, (_, at) => ({ kind: 'at once', nth: at + 1 }))
    : await faultsOf(story, shop)
  return faults.map(fault => ({ story, fault }))
}

async function faultsOf(story: Story, shop: Shop): Promise<readonly Fault[]> {
  await rehearse(story, shop)
  let steps: readonly Step[] = []
  let before: Counts = { provider: 0, carrier: 0 }
  await rehearse(story, shop, async () => {
    before = await countsOf(shop)
    steps = shop.taps.record()
  })
  await Bun.sleep(200)
  shop.taps.rest()
  const after = await countsOf(shop)
  const moments = aroundEach(steps).filter(moment => !isPoll(moment)) // asking for work is no step
  return [
    { kind: 'undisturbed' },
    ...moments.flatMap(moment => (['killed', 'cut'] as const).map(kind => ({ kind, moment }))),
    ...misbehaviours
      .filter(({ whose }) => after[whose] > before[whose])
      .map(misbehaviour => ({ kind: 'misbehaviour', misbehaviour }) as const),
  ]
}

async function rehearse(story: Story, shop: Shop, onCurtain = async () => {}): Promise<void> {
  const stage = await openStage(shop, { store: story.store, chance: randomFrom(1), onCurtain })
  await story.play(stage)
  await stage.quiet()
}

type Counts = Readonly<Record<Misbehaviour['whose'], number>>

/** What the remote sides have done, and told. */
async function countsOf({ provider, carrier }: Shop): Promise<Counts> {
  const [charges, labels] = await Promise.all([
    fetch(`${provider.url}/ledger/totals`).then(
      answer => answer.json() as Promise<{ webhooks: { sent: number } }>,
    ),
    fetch(`${carrier.url}/labels`).then(answer => answer.json() as Promise<{ sold: number }>),
  ])
  return { provider: charges.webhooks.sent, carrier: labels.sold }
}
