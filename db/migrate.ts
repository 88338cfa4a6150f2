import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { connect, type Sql } from './client.ts'

const folder = new URL('./migrations/', import.meta.url)
/** The advisory lock under which one process migrates while the others wait: 'waybill' as a number. */
const lockId = 0x77617962

interface Migration {
  readonly name: string
  readonly text: string
  readonly checksum: string
}

/**
 * Applies what is missing, each file in a transaction of its own, and answers the names applied.
 * Safe to run twice, and by several processes at once. Refuses a file that was changed after it was applied.
 */
export async function migrate(url: string): Promise<readonly string[]> {
  const sql = connect(url, { max: 1, name: 'waybill-migrate', silenceMs: 0 })
  try {
    await sql`select pg_advisory_lock(${lockId})`
    const known = await readApplied(sql)
    const applied: string[] = []
    for (const migration of await readMigrations()) {
      const before = known.get(migration.name)
      if (before === undefined) {
        await apply(sql, migration)
        applied.push(migration.name)
      } else if (before !== migration.checksum) {
        throw new Error(
          `db/migrations/${migration.name} was changed after it was applied: add a new file instead`,
        )
      }
    }
    return applied
  } finally {
    await sql.end({ timeout: 5 })
  }
}

async function readApplied(sql: Sql): Promise<ReadonlyMap<string, string>> {
  await sql`create table if not exists public.waybill_migrations (
    name text primary key, checksum text not null, applied_at timestamptz not null default now())`
  const rows = await sql<
    { name: string; checksum: string }[]
  >`select name, checksum from public.waybill_migrations`
  return new Map(rows.map(row => [row.name, row.checksum]))
}

async function readMigrations(): Promise<readonly Migration[]> {
  const names = (await readdir(folder)).filter(name => name.endsWith('.sql')).sort()
  return Promise.all(
    names.map(async name => {
      const text = await readFile(new URL(name, folder), 'utf8')
      return { name, text, checksum: createHash('sha256').update(text).digest('hex') }
    }),
  )
}

async function apply(sql: Sql, { name, text, checksum }: Migration): Promise<void> {
  await sql.begin(async tx => {
    await tx.unsafe(text)
    await tx`insert into public.waybill_migrations (name, checksum) values (${name}, ${checksum})`
  })
}

if (import.meta.main) {
  const url = process.env.DATABASE_URL
  if (!url) {
    console.error('DATABASE_URL is not set: give the address of the Postgres to migrate')
    process.exit(1)
  }
  const applied = await migrate(url)
  console.log(applied.length ? `applied ${applied.join(', ')}` : 'nothing to apply')
}
