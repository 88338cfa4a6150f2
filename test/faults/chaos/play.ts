import { randomFrom } from '../../random.ts'
import type { Case } from './cases.ts'
import { type Ending, endingOf, judge, type Verdict } from './ending.ts'
import type { Shop } from './shop.ts'
import { openCommands, openStage } from './stage.ts'

export interface Result extends Case {
  /** False if the moment did not come this time: then nothing was broken. */
  readonly struck: boolean
  readonly verdict: Verdict
  readonly ending: Ending | null
  /** Why the story could not be played to its end. */
  readonly because: string | null
  readonly ms: number
}

/**
 * Plays a story in a shop and breaks something. `struck` is called when that is done, or when it did not come to it:
 * then the shop has little to do but to recover.
 */
export async function play(each: Case, shop: Shop, seed: number, struck: () => void): Promise<Result> {
  const { story, fault } = each
  const startedAt = Date.now()
  let isStruck = !('moment' in fault)
  const breakIt = async () => {
    if (fault.kind === 'misbehaviour') return fault.misbehaviour.begin(shop)
    if (fault.kind !== 'killed' && fault.kind !== 'cut') return
    shop.taps.arm(fault.moment, held => {
      isStruck = true
      if (fault.kind === 'killed') shop.kill()
      else held.cut()
      struck()
    })
  }
  const mendIt = async () => {
    struck()
    shop.taps.rest()
    if (fault.kind === 'misbehaviour') await fault.misbehaviour.end(shop)
  }
  const chance = randomFrom(fault.kind === 'at once' ? seed * 1_000 + fault.nth : seed)
  const end = (verdict: Verdict, ending: Ending | null, because: string | null): Result => ({
    ...each,
    struck: isStruck,
    verdict,
    ending,
    because,
    ms: Date.now() - startedAt,
  })
  try {
    const stage = await openStage(shop, { store: story.store, chance, onCurtain: breakIt })
    await story.play(stage)
    await stage.quiet()
    await mendIt()
    const ending = await endingOf(stage)
    return end(judge(ending, story.rights), ending, null)
  } catch (error) {
    await mendIt()
    const open = await openCommands(shop).catch(() => 'nobody knows what')
    return end('lost', null, `${error instanceof Error ? error.message : error}; open: ${open || 'nothing'}`)
  }
}
