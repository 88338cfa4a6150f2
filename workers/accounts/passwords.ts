import { bulkhead, isBulkheadRejectedError } from 'cockatiel'

/** OWASP's minimum for argon2id: 19 MiB, two passes. */
const cost = { algorithm: 'argon2id', memoryCost: 19_456, timeCost: 2 } as const

/** More sign-ins are under way than this process can hash. */
export class TooManySignIns extends Error {
  override readonly name = 'TooManySignIns'
}

export interface Passwords {
  readonly hash: (password: string) => Promise<string>
  /** Against null it hashes as long as against a real hash, and answers false. */
  readonly verify: (password: string, hash: string | null) => Promise<boolean>
}

/** Each hash takes 19 MiB and a core, so few run at once and a queue of bounded length waits. */
export function createPasswords({ atOnce = 2, waitingMax = 100 } = {}): Passwords {
  const gate = bulkhead(atOnce, waitingMax)
  const nobody = Bun.password.hash(crypto.randomUUID(), cost)
  const run = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await gate.execute(work)
    } catch (error) {
      throw isBulkheadRejectedError(error) ? new TooManySignIns('too many sign-ins at once') : error
    }
  }
  return {
    hash: password => run(() => Bun.password.hash(password, cost)),
    verify: (password, hash) =>
      run(async () => {
        const matches = await Bun.password.verify(password, hash ?? (await nobody))
        return matches && hash !== null
      }),
  }
}
