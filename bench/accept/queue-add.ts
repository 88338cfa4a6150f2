// The edge without its journal: the same parts in the same order, and `queue.add` where the edge writes to Postgres.
import { Queue } from 'bullmq'
import { Hono } from 'hono'
import { secureHeaders } from 'hono/secure-headers'
import { pino } from 'pino'
import { v7 as uuidv7 } from 'uuid'
import { apiHeaders } from '../../edge/app.ts'
import { mountCommands } from '../../edge/commands.ts'
import { readEdgeSettings } from '../../edge/config.ts'
import type { EdgeEnv } from '../../edge/context.ts'
import { createAuthenticator } from '../../edge/middleware/authenticate.ts'
import { answerProblem } from '../../edge/middleware/problems.ts'
import { trace } from '../../edge/middleware/trace.ts'
import { createMount } from '../../edge/mount.ts'
import { listen } from '../../edge/serve.ts'
import { orders, place } from '../../queues/orders.ts'
import { patientRedis } from '../../queues/redis.ts'

const settings = readEdgeSettings(process.env)
const log = pino({ level: settings.LOG_LEVEL, base: null })
const queue = new Queue(orders.name, {
  connection: patientRedis(settings.REDIS_URL, log),
  prefix: settings.QUEUE_PREFIX,
})
const authenticate = createAuthenticator({
  issuer: settings.TOKEN_ISSUER,
  audience: settings.TOKEN_AUDIENCE,
  fetchKeys: init => fetch(`${settings.ACCOUNTS_URL}/.well-known/jwks.json`, init),
  nowMs: Date.now,
})
const app = new Hono<EdgeEnv>()
app.onError(answerProblem({ publicUrl: settings.PUBLIC_URL, log }))
app.use(secureHeaders(apiHeaders))
app.use(trace)
mountCommands(createMount(app, [], authenticate), [place], {
  accept: async ({ id, command, input }) => {
    await queue.add(command.name, input, { jobId: id, attempts: 8, removeOnComplete: true })
    return { kind: 'accepted', id }
  },
  enqueue: () => {},
  outcomes: { answer: nobodyWaits, await: nobodyWaits },
  newId: () => uuidv7(),
  bodyMaxBytes: settings.BODY_MAX_BYTES,
})
app.get('/livez', c => c.text('ok'))
listen(app.fetch, settings)

function nobodyWaits(): never {
  throw new Error('an outcome was asked for, but there is no journal here')
}
