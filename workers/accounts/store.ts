import type { JWK } from 'jose'
import type { JSONValue } from 'postgres'
import type { Sql } from '../../db/client.ts'
import type { Role } from '../../queues/access.ts'
import type { Tx } from '../../queues/outcome.ts'
import type { KeptToken } from './domain.ts'

export interface AccountRow {
  readonly id: string
  readonly email: string
  readonly name: string
  readonly roles: Role[]
  readonly createdAt: Date
}

/** False if the address belongs to an account already; then nothing was written. */
export async function insertAccount(
  tx: Tx,
  account: AccountRow & { passwordHash: string },
): Promise<boolean> {
  const { count } = await tx`
    insert into accounts.accounts (id, email, name, password_hash, roles, created_at)
    values (${account.id}, ${account.email}, ${account.name}, ${account.passwordHash},
            ${account.roles}, ${account.createdAt})
    on conflict (lower(email)) do nothing`
  return count === 1
}

export async function findAccount(sql: Sql, id: string, ownerId: string): Promise<AccountRow | null> {
  const [row] = await sql<AccountRow[]>`
    select id, email, name, roles, created_at as "createdAt"
    from accounts.accounts where id = ${id} and id = ${ownerId}`
  return row ?? null
}

export interface Credentials {
  readonly accountId: string
  readonly roles: Role[]
  readonly passwordHash: string
}

export async function findCredentials(sql: Sql, email: string): Promise<Credentials | null> {
  const [row] = await sql<Credentials[]>`
    select id as "accountId", roles, password_hash as "passwordHash"
    from accounts.accounts where lower(email) = lower(${email})`
  return row ?? null
}

/** Null if there is no such account. */
export async function setRoles(
  tx: Sql | Tx,
  accountId: string,
  roles: readonly Role[],
): Promise<Role[] | null> {
  const [row] = await tx<{ roles: Role[] }[]>`
    update accounts.accounts set roles = ${roles as Role[]} where id = ${accountId} returning roles`
  return row?.roles ?? null
}

export interface NewFamily {
  readonly id: string
  readonly accountId: string
  readonly hash: Uint8Array
  readonly now: Date
  readonly tokenExpiresAt: Date
  readonly familyExpiresAt: Date
}

/** A login: a family with its first token. */
export const insertFamily = (sql: Sql, family: NewFamily) => sql`
  with family as (
    insert into accounts.token_families (id, account_id, created_at, expires_at)
    values (${family.id}, ${family.accountId}, ${family.now}, ${family.familyExpiresAt})
  )
  insert into accounts.refresh_tokens (hash, family_id, created_at, expires_at)
  values (${family.hash}, ${family.id}, ${family.now}, ${family.tokenExpiresAt})`

interface TokenRow {
  readonly expiresAt: Date
  readonly usedAt: Date | null
  readonly usedBy: string | null
  readonly sealedAnswer: string | null
  readonly familyId: string
  readonly familyExpiresAt: Date
  readonly revoked: boolean
  readonly accountId: string
  readonly roles: Role[]
}

export async function findToken(sql: Sql, hash: Uint8Array): Promise<KeptToken | null> {
  const [row] = await sql<TokenRow[]>`
    select t.expires_at as "expiresAt", t.used_at as "usedAt", t.used_by as "usedBy",
           t.sealed_answer as "sealedAnswer", f.id as "familyId", f.expires_at as "familyExpiresAt",
           f.revoked_at is not null as revoked, a.id as "accountId", a.roles
    from accounts.refresh_tokens t
    join accounts.token_families f on f.id = t.family_id
    join accounts.accounts a on a.id = f.account_id
    where t.hash = ${hash}`
  return row ? toKeptToken(row) : null
}

const toKeptToken = (row: TokenRow): KeptToken => ({
  expiresAt: row.expiresAt,
  use:
    row.usedAt && row.usedBy && row.sealedAnswer
      ? { at: row.usedAt, client: row.usedBy, sealedAnswer: row.sealedAnswer }
      : null,
  family: { id: row.familyId, expiresAt: row.familyExpiresAt, revoked: row.revoked },
  identity: { accountId: row.accountId, roles: row.roles },
})

export interface Rotation {
  readonly hash: Uint8Array
  readonly nextHash: Uint8Array
  readonly nextExpiresAt: Date
  readonly client: string
  readonly sealedAnswer: string
  readonly now: Date
}

/** Uses the token and writes its successor in one statement; false if another use came first. */
export async function rotate(sql: Sql, rotation: Rotation): Promise<boolean> {
  const { count } = await sql`
    with used as (
      update accounts.refresh_tokens t
      set used_at = ${rotation.now}, used_by = ${rotation.client}, sealed_answer = ${rotation.sealedAnswer}
      from accounts.token_families f
      where t.hash = ${rotation.hash} and t.used_at is null and t.expires_at > ${rotation.now}
        and f.id = t.family_id and f.revoked_at is null
      returning t.family_id
    )
    insert into accounts.refresh_tokens (hash, family_id, created_at, expires_at)
    select ${rotation.nextHash}, family_id, ${rotation.now}, ${rotation.nextExpiresAt} from used`
  return count === 1
}

export const revokeFamily = (sql: Sql, familyId: string, because: string, now: Date) => sql`
  update accounts.token_families set revoked_at = ${now}, revoked_because = ${because}
  where id = ${familyId} and revoked_at is null`

export interface SigningKeyRow {
  readonly kid: string
  readonly publicJwk: JWK
  readonly privateJwe: string
}

export async function findSigningKey(sql: Sql): Promise<SigningKeyRow | null> {
  const [row] = await sql<SigningKeyRow[]>`
    select kid, public_jwk as "publicJwk", private_jwe as "privateJwe"
    from accounts.signing_keys where retired_at is null`
  return row ?? null
}

/** Does nothing if there is a current key already. */
export const insertSigningKey = (sql: Sql, key: SigningKeyRow, now: Date) => sql`
  insert into accounts.signing_keys (kid, public_jwk, private_jwe, created_at)
  values (${key.kid}, ${sql.json(key.publicJwk as JSONValue)}, ${key.privateJwe}, ${now})
  on conflict do nothing`

/** Public keys of every token that may still be good. */
export const listPublicKeys = (sql: Sql, retiredAfter: Date) => sql<{ publicJwk: JWK }[]>`
  select public_jwk as "publicJwk" from accounts.signing_keys
  where retired_at is null or retired_at > ${retiredAfter} order by created_at`
