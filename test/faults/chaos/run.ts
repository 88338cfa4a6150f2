import { type Case, casesOf } from './cases.ts'
import { play, type Result } from './play.ts'
import { openShop, type Premises, type Shop } from './shop.ts'
import type { Story } from './story.ts'

/** Shops that are open at a time; most of them wait for what was struck to be given up as dead. */
const shopsMax = 12
/** Stories that are played at a time. */
const playedMax = 4

/** Every case of these stories, in their order. */
export async function everyCase(stories: readonly Story[], premises: Premises): Promise<readonly Case[]> {
  const cases: (readonly Case[])[] = []
  const rest = stories.entries()
  const lane = async () => {
    const shop = await openShop(premises)
    try {
      for (const [at, story] of rest) cases[at] = await casesOf(story, shop)
    } finally {
      await shop.close()
    }
  }
  await Promise.all(Array.from({ length: Math.min(playedMax, stories.length) }, lane))
  return cases.flat()
}

export interface RunOptions {
  readonly premises: Premises
  readonly seed: number
  /** No case begins after it, milliseconds since 1970. */
  readonly deadline: number
  readonly tell: (result: Result, done: number) => void
}

/** Plays them, several shops at a time. A shop in which something went wrong is closed. */
export async function runAll(
  cases: readonly Case[],
  { premises, seed, deadline, tell }: RunOptions,
): Promise<readonly Result[]> {
  const results: Result[] = []
  const rest = cases[Symbol.iterator]()
  const gate = createGate(playedMax)
  const lane = async () => {
    let shop: Shop | null = null
    for (const each of rest) {
      if (Date.now() > deadline) break
      const leave = await gate()
      shop ??= await openShop(premises)
      const result = await play(each, shop, seed, leave)
      leave()
      results.push(result)
      tell(result, results.length)
      if (result.verdict === 'right') continue
      await shop.close()
      shop = null
    }
    await shop?.close()
  }
  await Promise.all(Array.from({ length: Math.min(shopsMax, cases.length) }, lane))
  return results
}

/** Lets so many in at a time; whoever is in leaves once, however often it says so. */
function createGate(width: number): () => Promise<() => void> {
  let free = width
  const waiting: (() => void)[] = []
  const leave = () => {
    const next = waiting.shift()
    if (next) next()
    else free++
  }
  return async () => {
    if (free > 0) free--
    else await new Promise<void>(enter => waiting.push(enter))
    let isIn = true
    return () => {
      if (isIn) leave()
      isIn = false
    }
  }
}
