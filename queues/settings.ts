import type { Static, TObject } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'

export type Env = Readonly<Record<string, string | undefined>>

/** A setting that is absent or malformed. The message is one line that names it. */
export class SettingError extends Error {
  override readonly name = 'SettingError'
}

/**
 * Reads the settings that `schema` names from the environment, once, into a frozen typed object: "8080" becomes
 * 8080 where a number is asked, and defaults fill in. Throws a SettingError that names the first wrong one.
 */
export function readSettings<S extends TObject>(schema: S, env: Env): Readonly<Static<S>> {
  const given = Object.fromEntries(
    Object.keys(schema.properties)
      .filter(name => env[name] !== undefined && env[name] !== '')
      .map(name => [name, env[name]]),
  )
  const settings = Value.Convert(schema, Value.Default(schema, given))
  const wrong = Value.Errors(schema, settings).First()
  if (wrong) throw new SettingError(describe(schema, wrong.path.slice(1).split('/')[0] ?? '', wrong.message))
  return Object.freeze(settings as Static<S>)
}

function describe(schema: TObject, name: string, message: string): string {
  const meaning = schema.properties[name]?.description
  return `setting ${name}: ${message}${meaning ? ` (${meaning})` : ''}`
}
