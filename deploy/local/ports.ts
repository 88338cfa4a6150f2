import { connect, createServer } from 'node:net'
import { SetupError } from './setup-error.ts'

const host = '127.0.0.1'

/** A TCP port of this machine that nobody listens on at the moment. */
export async function freePort(): Promise<number> {
  const port = await listenOnce(0)
  if (port === undefined)
    throw new SetupError('No free TCP port is left on this machine: stop some programs.')
  return port
}

/** The preferred port when it is free, else any free one. */
export async function preferPort(preferred: number | undefined): Promise<number> {
  if (preferred !== undefined && (await isPortFree(preferred))) return preferred
  return freePort()
}

export async function isPortFree(port: number): Promise<boolean> {
  return (await listenOnce(port)) !== undefined
}

/** Throws a `SetupError` that names the port, its purpose and the remedy when the port is taken. */
export async function requirePort(port: number, purpose: string, remedy: string): Promise<void> {
  if (!(await isPortFree(port))) throw takenPort(port, purpose, remedy)
}

export function takenPort(port: number, purpose: string, remedy: string): SetupError {
  return new SetupError(`Port ${port} (${purpose}) is taken: stop what uses it, or ${remedy}.`)
}

function listenOnce(port: number): Promise<number | undefined> {
  return new Promise((done, failed) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE' || error.code === 'EACCES') done(undefined)
      else failed(error)
    })
    server.listen({ port, host, exclusive: true }, () => {
      const address = server.address()
      const bound = typeof address === 'object' && address !== null ? address.port : port
      server.close(() => done(bound))
    })
  })
}

/** Whether something accepts a TCP connection there within 5 s. */
export function canConnect(hostname: string, port: number): Promise<boolean> {
  return new Promise(done => {
    const socket = connect({ host: hostname.replace(/^\[|\]$/g, ''), port, timeout: 5000 })
    const answer = (canReach: boolean) => {
      socket.destroy()
      done(canReach)
    }
    socket.once('connect', () => answer(true))
    socket.once('timeout', () => answer(false))
    socket.once('error', () => answer(false))
  })
}
