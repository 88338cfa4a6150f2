import type { Behaviour } from './faulty.ts'
import type { World } from './world.ts'

/** A steady stream of commands, each accepted as the edge accepts it. */
export interface Load {
  /** Accepted so far; each of them is a promise that was given. */
  readonly accepted: readonly string[]
  /** Those that were refused, by error code: no promise was given, though it may have been written down. */
  readonly refused: readonly { readonly id: string; readonly code: string }[]
  readonly stop: () => Promise<void>
}

const everyMs = 20
const atOnce = 5

export function startLoad(world: World, behaviour: Behaviour = 'pm_effect'): Load {
  const accepted: string[] = []
  const refused: { id: string; code: string }[] = []
  const underWay = new Set<Promise<void>>()
  const one = async () => {
    const id = Bun.randomUUIDv7()
    try {
      await world.send(behaviour, 20, id)
      accepted.push(id)
    } catch (error) {
      refused.push({ id, code: String((error as { code?: string }).code) })
    }
  }
  const timer = setInterval(() => {
    for (let at = 0; at < atOnce; at++) {
      const sent = one().finally(() => underWay.delete(sent))
      underWay.add(sent)
    }
  }, everyMs)
  return {
    accepted,
    refused,
    stop: async () => {
      clearInterval(timer)
      await Promise.all(underWay)
    },
  }
}

/** What is wrong with the promise "once and no more", over everything that these services were ever asked for. */
export async function brokenPromises(world: World): Promise<object> {
  const [row] = await world.sql`
    with charges as (
      select c.id, c.state,
        (select count(*) from payments.effects e where e.command = c.id) as effects,
        (select count(*) from journal.events e where e.command_id = c.id) as events,
        (select count(*) from journal.commands f where f.parent_id = c.id and f.type = 'payments.refund'
          and f.state = 'succeeded' and (select count(*) from payments.effects e where e.command = f.id) = 1) as done,
        (select count(*) from journal.commands f where f.parent_id = c.id) as children
      from journal.commands c where c.type = 'payments.charge'
    )
    select count(*) filter (where state <> 'succeeded') as unsettled, count(*) filter (where effects = 0) as lost,
      count(*) filter (where effects > 1) as doubled, count(*) filter (where events <> 1) as events,
      count(*) filter (where done <> 1 or children <> 2) as "followUps",
      (select count(*) from payments.effects e
        where not exists (select from journal.commands c where c.id = e.command and c.state = 'succeeded')) as half,
      (select count(*) from journal.dead_letters) as dead
    from charges`
  return row ?? {}
}

export const kept = { unsettled: 0, lost: 0, doubled: 0, events: 0, followUps: 0, half: 0, dead: 0 }

/** Waits until nothing of these services is open any more. */
export async function quiet(world: World, withinMs = 40_000): Promise<void> {
  const deadline = Date.now() + withinMs
  for (;;) {
    const [open] = await world.sql<{ n: number }[]>`
      select count(*) as n from journal.commands where settled_at is null and type like 'payments.%'`
    if (open?.n === 0) return
    if (Date.now() > deadline) throw new Error(`${open?.n} commands are still open`)
    await Bun.sleep(100)
  }
}
