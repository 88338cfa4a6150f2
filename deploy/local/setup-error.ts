/** A failure of the set-up. Its message is one line that says what to do; no stack is shown for it. */
export class SetupError extends Error {
  override name = 'SetupError'
}

/** Ends the process with 1 after one line for a `SetupError`, or with the whole stack for a surprise. */
export function exitWith(error: unknown): never {
  console.error(error instanceof SetupError ? error.message : error)
  process.exit(1)
}
