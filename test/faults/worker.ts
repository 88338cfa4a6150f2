// A worker process of the tests in this folder: the real runtime on handlers that misbehave. It ends with its parent.
import { runService } from '../../workers/runtime/run.ts'
import { faultyPayments } from './faulty.ts'

const { LOCK_MS, ATTEMPTS_MAX } = process.env
await runService(
  faultyPayments({
    ...(LOCK_MS && { lockMs: Number(LOCK_MS) }),
    ...(ATTEMPTS_MAX && { attemptsMax: Number(ATTEMPTS_MAX) }),
  }),
)
for await (const _ of Bun.stdin.stream());
process.exit(1)
