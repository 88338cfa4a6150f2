/** What a token may allow. `<service>:read` and `<service>:write` for people, `ops:*` for operators. */
export const scopes = [
  'accounts:read',
  'accounts:write',
  'catalog:write',
  'orders:read',
  'orders:write',
  'orders:fulfil',
  'payments:read',
  'payments:write',
  'ledger:read',
  'ledger:write',
  'shipping:read',
  'shipping:write',
  'media:read',
  'media:write',
  'ops:read',
  'ops:retry',
  'ops:edit',
] as const
export type Scope = (typeof scopes)[number]

const customer = [
  'accounts:read',
  'orders:read',
  'orders:write',
  'payments:read',
  'shipping:read',
  'media:read',
  'media:write',
] as const
const merchant = [
  ...customer,
  'catalog:write',
  'orders:fulfil',
  'payments:write',
  'ledger:read',
  'shipping:write',
] as const

/** The scopes that each role is given when its token is signed. */
export const roles = {
  customer,
  merchant,
  operator: [...merchant, 'accounts:write', 'ledger:write', 'ops:read', 'ops:retry', 'ops:edit'],
} as const satisfies Record<string, readonly Scope[]>
export type Role = keyof typeof roles

/** Who asks: the token's subject and what it may do. */
export interface Actor {
  readonly id: string
  readonly scopes: readonly Scope[]
}
