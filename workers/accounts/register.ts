import type { Role } from '../../queues/access.ts'
import { type Account, registered } from '../../queues/accounts.ts'
import { record } from '../../queues/journal.ts'
import { emit } from '../../queues/outcome.ts'
import { startTrace } from '../../queues/trace.ts'
import type { ServiceDeps } from '../runtime/service.ts'
import { createPasswords, type Passwords } from './passwords.ts'
import { type AccountRow, findCredentials, insertAccount, setRoles } from './store.ts'

export interface Newcomer {
  readonly email: string
  readonly password: string
  readonly name: string
}

/** Opens an account and tells of it, in one transaction. Null if the address is taken. */
export async function register(
  deps: ServiceDeps,
  passwords: Passwords,
  { email, password, name }: Newcomer,
  { roles = ['customer'], traceparent = startTrace() }: { roles?: Role[]; traceparent?: string } = {},
): Promise<AccountRow | null> {
  // Hashed before the address is looked up: a taken one takes as long to answer.
  const passwordHash = await passwords.hash(password)
  const account: AccountRow = { id: deps.newId(), email, name, roles, createdAt: deps.now() }
  const told = await deps.sql.begin(async tx => {
    if (!(await insertAccount(tx, { ...account, passwordHash }))) return null
    const event = emit(registered, { accountId: account.id, email, name })
    return record(tx, { emit: [event] }, { actorId: account.id, traceparent, newId: deps.newId })
  })
  if (!told) return null
  deps.enqueue(told)
  return account
}

/** Opens the account unless there is one, and gives it these roles either way; answers its id. A password stays as it is. */
export async function ensureAccount(
  deps: ServiceDeps,
  { roles, ...newcomer }: Newcomer & { readonly roles: Role[] },
  passwords: Passwords = createPasswords(),
): Promise<string> {
  const known = await findCredentials(deps.sql, newcomer.email)
  if (!known) {
    const account = await register(deps, passwords, newcomer, { roles })
    if (account) return account.id
    return ensureAccount(deps, { ...newcomer, roles }, passwords) // another process was faster
  }
  await setRoles(deps.sql, known.accountId, roles)
  return known.accountId
}

export const toAccount = ({ createdAt, ...account }: AccountRow): Account => ({
  ...account,
  createdAt: createdAt.toISOString(),
})
