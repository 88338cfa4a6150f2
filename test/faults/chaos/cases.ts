import { randomFrom } from '../../random.ts'
import { aroundEach, isPoll, type Moment, nameOf } from '../steps.ts'
import type { Step } from '../tap.ts'
import type { Shop } from './shop.ts'
import { openStage } from './stage.ts'
import type { Story } from './story.ts'

export type Fault =
  /** Nothing is broken. */
  | { readonly kind: 'undisturbed' }
  /** The process dies at that moment (SIGKILL) and is started again, or loses that connection and lives on. */
  | { readonly kind: 'killed' | 'cut'; readonly moment: Moment }
  /** Its acts come at the same time, as far apart as chance has it. */
  | { readonly kind: 'at once'; readonly nth: number }

export interface Case {
  readonly story: Story
  readonly fault: Fault
}

/** How often a story whose acts come at once is played. */
const turns = 5

/** As it is written after `--only`. */
export const titleOf = (fault: Fault): string => {
  switch (fault.kind) {
    case 'undisturbed':
      return fault.kind
    case 'killed':
    case 'cut':
      return `${fault.kind} ${nameOf(fault.moment)}`
    case 'at once':
      return `at once (${fault.nth})`
  }
}

/** The fault of that title, or null if there is none: whether its moment comes, the run shows. */
export function faultOf(title: string): Fault | null {
  if (title === 'undisturbed') return { kind: title }
  const turn = /^at once \((\d+)\)$/.exec(title)
  if (turn) return { kind: 'at once', nth: Number(turn[1]) }
  const struck = /^(killed|cut) (before|after) (.+?)(?: \((\d+)\))?$/.exec(title)
  if (!struck) return null
  const [, kind, when, step = '', nth = '1'] = struck
  return { kind, moment: { step, nth: Number(nth), when } } as Fault
}

/** Every case of a story; its steps are those that it takes in this shop when nothing disturbs it. */
export async function casesOf(story: Story, shop: Shop): Promise<readonly Case[]> {
  const faults: readonly Fault[] = story.isAtOnce
    ? Array.from({ length: turns }, (_, at) => ({ kind: 'at once', nth: at + 1 }))
    : [
        { kind: 'undisturbed' },
        ...(await momentsOf(story, shop)).flatMap(moment =>
          (['killed', 'cut'] as const).map(kind => ({ kind, moment })),
        ),
      ]
  return faults.map(fault => ({ story, fault }))
}

/**
 * Every moment of a story from where its curtain rises, in order; asking for work is none. It is rehearsed: connections
 * are open then.
 */
async function momentsOf(story: Story, shop: Shop): Promise<readonly Moment[]> {
  await rehearse(story, shop)
  let steps: readonly Step[] = []
  const onCurtain = () => {
    steps = shop.taps.record()
  }
  await rehearse(story, shop, onCurtain)
  await Bun.sleep(200)
  shop.taps.rest()
  return aroundEach(steps).filter(moment => !isPoll(moment))
}

async function rehearse(story: Story, shop: Shop, onCurtain = () => {}): Promise<void> {
  const stage = await openStage(shop, { store: story.store, chance: randomFrom(1), onCurtain })
  await story.play(stage)
  await stage.quiet()
}
