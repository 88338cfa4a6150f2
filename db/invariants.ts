import { parseArgs } from 'node:util'
import { connect, type Sql } from './client.ts'

/** What one invariant was found to be. */
export interface Finding {
  /** A function of the schema `invariants`. */
  readonly name: string
  /** What must be true, in a sentence. */
  readonly sentence: string
  /** `unchecked`: there was too much to look at in the time that was given. */
  readonly state: 'holds' | 'broken' | 'unchecked'
  /** What breaks it: the first few. */
  readonly broken: readonly string[]
  /** How long the look took, in milliseconds. */
  readonly ms: number
}

export interface CheckOptions {
  /** What began earlier is not looked at, except for stock and open commands. */
  readonly since: Date
  /** How long the look at each invariant may take. */
  readonly eachMs: number
  /** Ends the look: what was not looked at by then is not in the answer. */
  readonly signal?: AbortSignal
}

const brokenMax = 20

/** Looks at every invariant on the living database, each in one statement and so at one instant. Writes nothing. */
export async function checkInvariants(
  sql: Sql,
  { since, eachMs, signal }: CheckOptions,
): Promise<readonly Finding[]> {
  const findings: Finding[] = []
  for (const { name, sentence } of await listInvariants(sql)) {
    if (signal?.aborted) break
    const startedAt = performance.now()
    const broken = await look(sql, name, { since, eachMs })
    const state = broken === null ? 'unchecked' : broken.length > 0 ? 'broken' : 'holds'
    findings.push({
      name,
      sentence,
      state,
      broken: broken ?? [],
      ms: Math.round(performance.now() - startedAt),
    })
  }
  return findings
}

const listInvariants = (sql: Sql) => sql<{ name: string; sentence: string }[]>`
  select proname as name, obj_description(oid, 'pg_proc') as sentence from pg_proc
  where pronamespace = 'invariants'::regnamespace and obj_description(oid, 'pg_proc') is not null order by proname`

/** What breaks the invariant, or null if that could not be found out in time. */
async function look(sql: Sql, name: string, { since, eachMs }: CheckOptions): Promise<string[] | null> {
  try {
    return await sql.begin('read only', async tx => {
      await tx`select set_config('statement_timeout', ${String(eachMs)}, true)`
      const rows = await tx<{ what: string }[]>`
        select what from ops.look(${name}, ${since}, ${brokenMax}) as what`
      return rows.map(row => row.what)
    })
  } catch (error) {
    if ((error as { code?: unknown }).code === '57014') return null // the statement's time was up
    throw error
  }
}

const help = `bun db/invariants.ts [--hours 24] [--json]
Looks at every invariant on the database that DATABASE_URL names, and writes nothing.
Ends with 0 if all hold, 1 if one is broken, 2 if one could not be checked in time or nothing could be looked at.`

async function main(args: readonly string[]): Promise<number> {
  const options = {
    hours: { type: 'string', default: '24' },
    json: { type: 'boolean' },
    help: { type: 'boolean' },
  } as const
  try {
    const { values } = parseArgs({ args: [...args], options })
    if (values.help) return say(help, 0)
    const hours = Number(values.hours)
    if (!(hours > 0)) return complain('--hours must be a number above 0')
    const url = process.env.DATABASE_URL
    if (!url) return complain('DATABASE_URL is not set: give the address of the Postgres to look at')
    const findings = await lookAt(url, new Date(Date.now() - hours * 3_600_000))
    const states = findings.map(({ state }) => state)
    const code = states.includes('broken') ? 1 : states.includes('unchecked') ? 2 : 0
    return say(values.json ? JSON.stringify(findings) : findings.map(toLines).join('\n'), code)
  } catch (error) {
    return complain(error instanceof Error ? error.message : String(error))
  }
}

async function lookAt(url: string, since: Date): Promise<readonly Finding[]> {
  const sql = connect(url, { max: 1, name: 'waybill-invariants', silenceMs: 0 })
  try {
    return await checkInvariants(sql, { since, eachMs: 60_000 })
  } finally {
    await sql.end({ timeout: 5 })
  }
}

function say(text: string, code: number): number {
  console.log(text)
  return code
}

function complain(text: string): number {
  console.error(text)
  return 2
}

const toLines = ({ state, sentence, broken, ms }: Finding): string =>
  [`${state.padEnd(9)} ${sentence} (${ms} ms)`, ...broken.map(what => `          ${what}`)].join('\n')

if (import.meta.main) process.exit(await main(process.argv.slice(2)))
