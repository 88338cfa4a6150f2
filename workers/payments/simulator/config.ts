import { Type } from '@sinclair/typebox'
import { type Env, readSettings } from '../../../queues/settings.ts'
import { type SimulatorOptions, simulatorDefaults } from './server.ts'

const text = (description: string) => Type.String({ default: '', description })
const ms = (most: number, standard: number, description: string) =>
  Type.Integer({ minimum: 1, maximum: most, default: standard, description })

export const SimulatorSettings = Type.Object({
  PORT: Type.Integer({
    minimum: 0,
    maximum: 65_535,
    default: 4100,
    description: 'port to listen on; 0 takes a free one',
  }),
  HOST: Type.String({ default: '127.0.0.1', description: 'address to listen on' }),
  SIMULATOR_FILE: text('SQLite file that it remembers in; without, it forgets everything when it ends'),
  SIMULATOR_PUBLIC_URL: text('where buyers reach its pages; where it listens, if not set'),
  SIMULATOR_WEBHOOK_URL: text('where its webhooks go; without, it sends none'),
  SIMULATOR_WEBHOOK_SECRET: Type.String({
    default: simulatorDefaults.webhookSecret,
    description: 'signs its webhooks',
  }),
  SIMULATOR_WEBHOOKS: Type.Union([Type.Literal('all'), Type.Literal('news')], {
    default: simulatorDefaults.webhooks,
    description: 'all events, or `news` only: what nobody heard of as the answer to a request',
  }),
  SIMULATOR_AUTHORIZATION_MS: ms(
    2_000_000_000,
    simulatorDefaults.authorizationMs,
    'how long money stays set aside, in milliseconds',
  ),
  SIMULATOR_LATER_MS: ms(
    86_400_000,
    simulatorDefaults.laterMs,
    'how much later is what happens by itself, in milliseconds',
  ),
  SIMULATOR_SLOW_MS: ms(
    600_000,
    simulatorDefaults.slowMs,
    'how late it answers when it is slow, in milliseconds',
  ),
})

/** Throws a SettingError that names the first wrong one. */
export function readSimulatorOptions(env: Env): SimulatorOptions {
  const settings = readSettings(SimulatorSettings, env)
  return {
    port: settings.PORT,
    host: settings.HOST,
    file: settings.SIMULATOR_FILE || null,
    publicUrl: settings.SIMULATOR_PUBLIC_URL || null,
    webhookUrl: settings.SIMULATOR_WEBHOOK_URL || null,
    webhookSecret: settings.SIMULATOR_WEBHOOK_SECRET,
    webhooks: settings.SIMULATOR_WEBHOOKS,
    authorizationMs: settings.SIMULATOR_AUTHORIZATION_MS,
    laterMs: settings.SIMULATOR_LATER_MS,
    slowMs: settings.SIMULATOR_SLOW_MS,
  }
}
