import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import type { Env } from '../../queues/settings.ts'
import { SetupError } from './setup-error.ts'
import { scratchDir } from './tools.ts'

export interface StartOptions {
  /** End after the story. */
  readonly exit: boolean
  readonly help: boolean
  /** Holds the data of the servers, mails and files; an absolute path. */
  readonly dir: string
  /** 0: any free one. */
  readonly port: number
  readonly logLevel: string
}

export const helpText = `npm start [-- options]

Brings up everything in one process, on a Postgres and a Redis of its own, sends one order and one video through the
public API, shows what became of them, and stays up until Ctrl-C.

  --exit         end after that: with 0 if both succeeded, else with 1
  --dir <path>   keep all data there instead of in .waybill
  --help         this text

  PORT           port of the API, 3000 unless set; 0 takes a free one
  DATABASE_URL   a Postgres to use instead of one of its own
  REDIS_URL      a Redis to use instead of one of its own
  LOG_LEVEL      what the services log: trace, debug, info, warn (unless set), error, silent`

const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']

/** Throws a SetupError that says what is wrong. */
export function readOptions(args: readonly string[], env: Env): StartOptions {
  const { exit, help, dir } = parse(args)
  const port = env.PORT || '3000'
  const logLevel = env.LOG_LEVEL || 'warn'
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535)
    throw new SetupError(`PORT is ${port}: set it to a number from 0 to 65535.`)
  if (!logLevels.includes(logLevel))
    throw new SetupError(`LOG_LEVEL is ${logLevel}: set it to one of ${logLevels.join(', ')}.`)
  if (env.NODE_ENV === 'production')
    throw new SetupError(
      'npm start opens accounts with known passwords, so it refuses NODE_ENV=production: see docs/operating/README.md.',
    )
  return { exit, help, dir: resolve(dir), port: Number(port), logLevel }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        exit: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
        dir: { type: 'string', default: scratchDir },
      },
    }).values
  } catch (error) {
    throw new SetupError(`${(error as Error).message.split('. ')[0]}: npm start -- --help lists the options.`)
  }
}
