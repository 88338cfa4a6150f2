// How far Hono gets: CASE=bare reads JSON and answers JSON; CASE=jwt also checks the token, as the edge does.
import { Hono } from 'hono'
import { v7 as uuidv7 } from 'uuid'
import { createAuthenticator } from '../../edge/middleware/authenticate.ts'
import { listen } from '../../edge/serve.ts'

const { PORT, ACCOUNTS_URL, CASE } = process.env
const authenticate = createAuthenticator({
  issuer: 'waybill',
  audience: 'waybill-api',
  fetchKeys: init => fetch(`${ACCOUNTS_URL}/.well-known/jwks.json`, init),
  nowMs: Date.now,
})
const app = new Hono()
app.post('/v1/orders', async c => {
  if (CASE === 'jwt') await authenticate(c.req.header('authorization'))
  const { paymentMethod } = await c.req.json()
  return c.json({ id: uuidv7(), paymentMethod }, 202)
})
app.get('/livez', c => c.text('ok'))
listen(app.fetch, { HOST: '127.0.0.1', PORT: Number(PORT) })
