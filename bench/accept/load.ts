// The clients: each keeps one connection and sends its next order as soon as the last one is answered.
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { v7 as uuidv7 } from 'uuid'
import { percentile } from '../measure.ts'
import { serveCalls } from '../remote.ts'
import { openClient } from './client.ts'

const keys = await generateKeyPair('EdDSA', { extractable: true })
const jwk = { ...(await exportJWK(keys.publicKey)), kid: 'bench', alg: 'EdDSA', use: 'sig' }

/** Stands for accounts: all that an edge asks of it here is the public key. */
const accounts = Bun.serve({
  port: 0,
  hostname: '127.0.0.1',
  fetch: () => Response.json({ keys: [jwk] }),
})

export const calls = serveCalls({
  accountsUrl: () => `http://127.0.0.1:${accounts.port}`,
  /** Sends for so long, and answers how many requests a second were answered with 202, and how late. */
  fire: async ({ port, connections, seconds }: { port: number; connections: number; seconds: number }) => {
    const headers = await Promise.all(Array.from({ length: connections }, headersOfSomebody))
    const startedAt = performance.now()
    const until = startedAt + seconds * 1_000
    const latencies: number[] = []
    await Promise.all(
      headers.map(async head => {
        const client = await openClient(port)
        for (let at = performance.now(); at < until; ) {
          const status = await client.post(`${head}idempotency-key: ${crypto.randomUUID()}\r\n`, order())
          if (status !== 202) throw new Error(`an order was answered with ${status}`)
          const now = performance.now()
          latencies.push(now - at)
          at = now
        }
        client.close()
      }),
    )
    return {
      count: latencies.length,
      perSecond: (latencies.length * 1_000) / (performance.now() - startedAt),
      p50: percentile(latencies, 0.5),
      p99: percentile(latencies, 0.99),
    }
  },
})

async function headersOfSomebody(): Promise<string> {
  const seconds = Math.floor(Date.now() / 1_000)
  const token = await new SignJWT({
    iss: 'waybill',
    aud: 'waybill-api',
    sub: uuidv7(),
    iat: seconds,
    exp: seconds + 3_600,
    jti: uuidv7(),
    scope: 'orders:write orders:read',
  })
    .setProtectedHeader({ alg: 'EdDSA', typ: 'at+jwt', kid: jwk.kid })
    .sign(keys.privateKey)
  return `POST /v1/orders HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer ${token}\r\ncontent-type: application/json\r\n`
}

const order = (): string =>
  JSON.stringify({
    lines: [{ sku: `SKU-${Math.floor(Math.random() * 100)}`, quantity: 1 }],
    paymentMethod: 'pm_card_ok',
  })
