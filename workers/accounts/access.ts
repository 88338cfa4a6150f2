import type { Tokens } from '../../queues/accounts.ts'
import type { ServiceDeps } from '../runtime/service.ts'
import { type AccountsConfig, readConfig } from './config.ts'
import type { Identity } from './domain.ts'
import { createPasswords, type Passwords } from './passwords.ts'
import { loadSigningKey, type SigningKey } from './signing-key.ts'
import { signAccessToken, toTokens } from './tokens.ts'

/** What signing in needs besides the database; one per process. */
export interface Access {
  readonly config: AccountsConfig
  readonly passwords: Passwords
  /** Throws if there is no key and none can be made. */
  readonly ready: () => Promise<void>
  readonly issue: (identity: Identity, refreshToken: string, now: Date) => Promise<Tokens>
}

export function createAccess(deps: ServiceDeps, passwords: Passwords = createPasswords()): Access {
  const config = readConfig(deps.env)
  let loading: Promise<SigningKey> | undefined
  const signingKey = () => {
    loading ??= loadSigningKey(deps.sql, config.secret, deps.now()).catch(error => {
      loading = undefined
      throw error
    })
    return loading
  }
  return {
    config,
    passwords,
    ready: async () => {
      await signingKey()
    },
    issue: async (identity, refreshToken, now) =>
      toTokens(
        await signAccessToken(identity, await signingKey(), { ...config, jti: deps.newId(), now }),
        refreshToken,
      ),
  }
}
