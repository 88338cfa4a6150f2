import { isAway } from '../db/client.ts'
import type { Tx } from '../db/transaction.ts'

export interface BatchOptions {
  /** Items that one call of `work` takes at the most. */
  readonly sizeMax: number
  /** After such an error each item of the batch is tried alone, so that one bad item fails by itself. */
  readonly isOfOneItem: (error: unknown) => boolean
}

/** A call that takes longer, perhaps on a connection that has fallen silent, is not waited for by the next. */
const slowMs = 1_000

interface Waiting<Item, Answer> {
  readonly item: Item
  readonly resolve: (answer: Answer) => void
  readonly reject: (error: unknown) => void
}

/**
 * Joins calls that are made at about the same time into one. Costs a lone call one turn of the event loop;
 * under load the batch grows by itself, because it is whatever arrived while the last one was under way. One is under
 * way at a time: two at once are smaller, and cost more than the waiting.
 * `work` answers one value per item, in order.
 */
export function batch<Item, Answer>(
  work: (items: readonly Item[]) => Promise<readonly Answer[]>,
  { sizeMax, isOfOneItem }: BatchOptions,
): (item: Item) => Promise<Answer> {
  let waiting: Waiting<Item, Answer>[] = []
  let busy = false

  const carryOut = async (taken: readonly Waiting<Item, Answer>[]): Promise<void> => {
    try {
      const answers = await work(taken.map(each => each.item))
      taken.forEach((each, at) => {
        each.resolve(answers[at] as Answer)
      })
    } catch (error) {
      if (taken.length > 1 && isOfOneItem(error)) for (const each of taken) await carryOut([each])
      else for (const each of taken) each.reject(error)
    }
  }
  const flush = async () => {
    const taken = waiting.slice(0, sizeMax)
    waiting = waiting.slice(sizeMax)
    const slow = Promise.withResolvers<void>()
    const timer = setTimeout(slow.resolve, slowMs)
    await Promise.race([carryOut(taken), slow.promise])
    clearTimeout(timer)
    busy = false
    if (waiting.length > 0) schedule()
  }
  const schedule = () => {
    busy = true
    setImmediate(() => void flush())
  }
  return item =>
    new Promise((resolve, reject) => {
      waiting.push({ item, resolve, reject })
      if (!busy) schedule()
    })
}

/** Joins calls of this process into statements; one that Postgres refuses, rather than leaves unanswered, is tried item by item. */
export const oneStatement = <Item, Answer>(
  work: (items: readonly Item[]) => Promise<readonly Answer[]>,
): ((item: Item) => Promise<Answer>) => batch(work, { sizeMax: 200, isOfOneItem: error => !isAway(error) })

/** Joins calls that are made in one transaction, by the commands that share it, into one statement. */
export function oneStatementPerTransaction<Item, Answer>(
  work: (tx: Tx, items: readonly Item[]) => Promise<readonly Answer[]>,
): (tx: Tx, item: Item) => Promise<Answer> {
  const open = new WeakMap<Tx, (item: Item) => Promise<Answer>>()
  const joining = (tx: Tx) => {
    const joined = batch((items: readonly Item[]) => work(tx, items), {
      sizeMax: 200,
      isOfOneItem: () => false, // after a failure, its transaction takes no more statements
    })
    open.set(tx, joined)
    return joined
  }
  return (tx, item) => (open.get(tx) ?? joining(tx))(item)
}
