import type { Sql } from '../../db/client.ts'
import type { Conversion, Upload } from '../../queues/media.ts'
import type { Tx } from '../../queues/outcome.ts'

export type UploadRow = Omit<Upload, 'createdAt'> & { readonly ownerId: string; readonly createdAt: Date }
export type ConversionRow = Omit<Conversion, 'createdAt'> & {
  readonly ownerId: string
  readonly createdAt: Date
}

export const insertUpload = (sql: Sql, { id, ownerId, bytes, sha256, createdAt }: UploadRow) => sql`
  insert into media.uploads (id, owner_id, bytes, sha256, created_at)
  values (${id}, ${ownerId}, ${bytes}, ${sha256}, ${createdAt})`

export async function findUpload(sql: Sql, id: string, ownerId: string): Promise<UploadRow | null> {
  const [row] = await sql<UploadRow[]>`
    select id, owner_id as "ownerId", bytes, sha256, created_at as "createdAt"
    from media.uploads where id = ${id} and owner_id = ${ownerId}`
  return row ?? null
}

/** Does nothing if an earlier run of the same command has written it. */
export const insertConversion = (tx: Tx, row: ConversionRow) => tx`
  insert into media.conversions (id, upload_id, owner_id, preset, duration_ms, bytes, sha256, created_at)
  values (${row.id}, ${row.uploadId}, ${row.ownerId}, ${row.preset}, ${row.durationMs}, ${row.bytes},
          ${row.sha256}, ${row.createdAt})
  on conflict (id) do nothing`

export async function findConversion(sql: Sql, id: string, ownerId: string): Promise<ConversionRow | null> {
  const [row] = await sql<ConversionRow[]>`
    select id, upload_id as "uploadId", owner_id as "ownerId", preset, duration_ms as "durationMs", bytes, sha256,
           created_at as "createdAt"
    from media.conversions where id = ${id} and owner_id = ${ownerId}`
  return row ?? null
}
