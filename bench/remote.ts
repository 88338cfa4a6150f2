import { join } from 'node:path'
import { profiling } from './child.ts'

export type Calls = Readonly<Record<string, (argument: never) => unknown>>

/** A measured system in a process of its own, driven by calls over its IPC channel. */
export interface Remote<C extends Calls> {
  readonly pid: number
  readonly call: <Name extends keyof C & string>(
    name: Name,
    ...argument: Parameters<C[Name]>
  ) => Promise<Awaited<ReturnType<C[Name]>>>
  readonly stop: () => Promise<void>
}

interface Question {
  readonly id: number
  readonly name: string
  readonly argument: unknown
}
type Answer =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly failure: string }

const callMaxMs = 120_000

/** Starts a script of this folder that ends with `serveCalls`. A call that fails or takes over two minutes throws. */
export function startRemote<C extends Calls>(script: string, env: Record<string, string>): Remote<C> {
  const waiting = new Map<number, PromiseWithResolvers<unknown>>()
  let lastId = 0
  const child = Bun.spawn([process.execPath, ...profiling(script), join(import.meta.dir, script)], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'inherit', 'inherit'],
    serialization: 'json',
    ipc: (answer: Answer) => {
      const asked = waiting.get(answer.id)
      waiting.delete(answer.id)
      if ('failure' in answer) asked?.reject(new Error(`${script}: ${answer.failure}`))
      else asked?.resolve(answer.result)
    },
    onExit: (_, code) => {
      for (const { reject } of waiting.values()) reject(new Error(`${script} ended with ${code}`))
    },
  })
  return {
    pid: child.pid,
    call: async (name, ...[argument]) => {
      const id = ++lastId
      const asked = Promise.withResolvers<unknown>()
      waiting.set(id, asked)
      const timer = setTimeout(() => asked.reject(new Error(`${script}: no answer to ${name}`)), callMaxMs)
      child.send({ id, name, argument } satisfies Question)
      return (await asked.promise.finally(() => clearTimeout(timer))) as never
    },
    stop: async () => {
      child.kill('SIGTERM')
      const force = setTimeout(() => child.kill('SIGKILL'), 5_000)
      await child.exited
      clearTimeout(force)
    },
  }
}

/** Answers the calls of the process that started this one, and ends with it. */
export function serveCalls<C extends Calls>(calls: C): C {
  process.on('message', async ({ id, name, argument }: Question) => {
    try {
      process.send?.({ id, result: (await calls[name]?.(argument as never)) ?? null })
    } catch (error) {
      process.send?.({ id, failure: error instanceof Error ? (error.stack ?? error.message) : String(error) })
    }
  })
  process.on('disconnect', () => process.exit(1))
  process.on('SIGTERM', () => process.exit(0))
  return calls
}
