/** An HTTP/1.1 connection that stays open and takes one request at a time; it does as little as a client can. */
export interface Client {
  /** `head` is the request line and headers, each with its line end. Answers the status; ignores the body. */
  readonly post: (head: string, body: string) => Promise<number>
  readonly close: () => void
}

const headEnd = Buffer.from('\r\n\r\n')

export async function openClient(port: number): Promise<Client> {
  let waiting: PromiseWithResolvers<number> | null = null
  let received: Buffer = Buffer.alloc(0)
  const fail = (error: Error) => waiting?.reject(error)
  const socket = await Bun.connect({
    hostname: '127.0.0.1',
    port,
    socket: {
      data: (_, chunk) => {
        received = received.length === 0 ? chunk : Buffer.concat([received, chunk])
        const status = statusOfWhole(received)
        if (status === null) return
        received = Buffer.alloc(0)
        waiting?.resolve(status)
      },
      close: () => fail(new Error('the server closed the connection')),
      error: (_, error) => fail(error),
    },
  })
  return {
    post: (head, body) => {
      waiting = Promise.withResolvers()
      socket.write(`${head}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`)
      return waiting.promise
    },
    close: () => {
      waiting = null
      socket.end()
    },
  }
}

/** The status, once the whole response is there. */
function statusOfWhole(response: Buffer): number | null {
  const end = response.indexOf(headEnd)
  if (end < 0) return null
  const head = response.toString('latin1', 0, end)
  const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1]
  if (length === undefined) throw new Error(`a response without its length: ${head}`)
  if (response.length < end + headEnd.length + Number(length)) return null
  return Number(head.slice(9, 12))
}
