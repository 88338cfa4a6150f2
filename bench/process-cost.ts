import { readdirSync, readFileSync } from 'node:fs'

/** Clock ticks per second of /proc: 100 on every Linux that Bun runs on. */
const ticksPerSecond = 100
const pageKb = 4

/** Processor time that a process and its children have used so far, in milliseconds; 0 where there is no /proc. */
export function cpuMs(pid: number): number {
  const own = readStat(pid)
  if (!own) return 0
  const living = childrenOf(pid).reduce((sum, child) => sum + (readStat(child)?.ticks ?? 0), 0)
  return ((own.ticks + own.ticksOfEnded + living) * 1_000) / ticksPerSecond
}

/** Memory that a process has in RAM, in MB; 0 where there is no /proc. */
export function residentMb(pid: number): number {
  try {
    return (Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * pageKb) / 1024
  } catch {
    return 0
  }
}

interface Stat {
  readonly parent: number
  readonly ticks: number
  readonly ticksOfEnded: number
}

function readStat(pid: number): Stat | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name before the last parenthesis may hold spaces.
    const fields = text
      .slice(text.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number)
    const [, parent = 0] = fields
    const [user = 0, system = 0, endedUser = 0, endedSystem = 0] = fields.slice(11, 15)
    return { parent, ticks: user + system, ticksOfEnded: endedUser + endedSystem }
  } catch {
    return undefined // it ended meanwhile
  }
}

function childrenOf(pid: number): number[] {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .map(Number)
    .filter(each => readStat(each)?.parent === pid)
}
