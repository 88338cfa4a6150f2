/**
 * Calls `stop` once, with the exit code for the reason: on Ctrl-C, SIGTERM or SIGHUP, or when the launcher was
 * killed. A second Ctrl-C, more than a second later, ends the process at once.
 */
export function onStopRequest(stop: (exitCode: number) => void): void {
  let askedAt: number | undefined
  const ask = (exitCode: number) => {
    const now = performance.now()
    if (askedAt === undefined) {
      askedAt = now
      stop(exitCode)
    } else if (now - askedAt > 1000) {
      // One Ctrl-C can come twice: from the terminal and from the package manager.
      process.exit(exitCode)
    }
  }
  process.on('SIGINT', () => ask(130))
  process.on('SIGTERM', () => ask(143))
  process.on('SIGHUP', () => ask(129))
  const launcher = Number(process.env.WAYBILL_LAUNCHER_PID)
  if (process.ppid !== launcher) return
  const watch = setInterval(() => {
    if (process.ppid === launcher) return
    clearInterval(watch)
    ask(143)
  }, 500)
  watch.unref()
}
