import type { Logger } from 'pino'
import { type AskOptions, type BreakerView, createRemote, type Remote } from './ask.ts'

/** Everything remote that this process calls. */
export interface Remotes {
  /** Throws if the name is taken: two breakers under one name could not be told apart. */
  readonly open: (options: AskOptions) => Remote
  readonly views: () => readonly BreakerView[]
  /** Carries out what operators ordered; an order that was carried out before changes nothing. */
  readonly obey: (orders: readonly BreakerOrder[]) => void
}

/** The last word of an operator about one breaker. */
export interface BreakerOrder {
  readonly id: number
  readonly breaker: string
  /** `open`: isolated until it is reset. */
  readonly action: 'open' | 'reset'
  readonly because: string | null
}

export interface RemotesDeps {
  readonly log: Logger
  readonly nowMs: () => number
  /** Called after each change of a breaker. */
  readonly onChange: () => void
}

export function createRemotes({ log, nowMs, onChange }: RemotesDeps): Remotes {
  const remotes = new Map<string, Remote>()
  const obeyed = new Map<string, number>()
  const told = ({ name, state, because, lastFailure }: BreakerView) => {
    const line = { breaker: name, state, ...(because && { because }), ...(lastFailure && { lastFailure }) }
    if (state === 'closed') log.info(line, 'a remote side is called again')
    else log.warn(line, 'a remote side is left alone')
    onChange()
  }
  return {
    open: options => {
      if (remotes.has(options.name)) throw new Error(`there is a remote side ${options.name} already`)
      const remote = createRemote(options, { nowMs, onChange: told })
      remotes.set(options.name, remote)
      return remote
    },
    views: () => [...remotes.values()].map(remote => remote.view()),
    obey: orders => {
      for (const { id, breaker, action, because } of orders) {
        if (obeyed.get(breaker) === id) continue
        obeyed.set(breaker, id)
        const remote = remotes.get(breaker)
        if (action === 'open') remote?.isolate(because ?? '')
        else remote?.close()
      }
    },
  }
}
