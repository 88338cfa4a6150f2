import { chownSync, existsSync, lstatSync, readdirSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { SetupError } from './setup-error.ts'

/** How to run a program that refuses to run as root. */
export type Unprivileged = { wrap: string[]; user?: { uid: number; gid: number } }

const nobody = { uid: 65534, gid: 65534 }

/**
 * For root: run as `nobody`. Where `nobody` cannot walk to the paths (a checkout inside /root), the program keeps
 * the one capability that lets it; in a container that has no user namespaces this still works.
 */
export function unprivileged(paths: string[]): Unprivileged {
  if (process.getuid?.() !== 0) return { wrap: [] }
  if (paths.every(isOpenToAll) || !existsSync('/usr/bin/setpriv')) return { wrap: [], user: nobody }
  const ids = ['--reuid', String(nobody.uid), '--regid', String(nobody.gid), '--clear-groups']
  // access(2) ignores capabilities of a user without the secure bit.
  const capability = [
    ...['--inh-caps', '+dac_override', '--ambient-caps', '+dac_override'],
    ...['--securebits', '+no_setuid_fixup'],
  ]
  return { wrap: ['/usr/bin/setpriv', ...ids, ...capability] }
}

/** For root: gives the folder and all in it to `nobody`. Else does nothing. */
export function giveAway(path: string): void {
  if (process.getuid?.() !== 0) return
  try {
    chownAll(path)
  } catch (error) {
    if (!['EINVAL', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
    throw new SetupError(
      `Postgres refuses to run as root, and ${path} cannot be given to another user: start as a normal user, or set DATABASE_URL.`,
    )
  }
}

function chownAll(path: string): void {
  const stat = lstatSync(path)
  if (stat.uid !== nobody.uid) chownSync(path, nobody.uid, nobody.gid)
  if (stat.isDirectory()) for (const name of readdirSync(path)) chownAll(join(path, name))
}

function isOpenToAll(path: string): boolean {
  for (let at = path; ; at = dirname(at)) {
    if (existsSync(at) && at !== path && (statSync(at).mode & 0o001) === 0) return false
    if (at === dirname(at)) return true
  }
}
