import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { v7 as newId } from 'uuid'
import {
  mailOrderCancelled,
  mailOrderPaid,
  mailPaymentFailed,
  saveContact,
} from '../../queues/notifications.ts'
import { type TestKernel, testKernel } from '../../test/harness.ts'
import { notificationsService } from './index.ts'
import { type MailServer, startMailServer } from './mail-server.fixture.ts'

let server: MailServer
let kernel: TestKernel
beforeAll(async () => {
  server = await startMailServer()
  kernel = await testKernel({
    services: [notificationsService],
    env: { SMTP_URL: server.url, MAIL_FROM: 'Shop <orders@shop.test>' },
  })
})
afterAll(async () => {
  await kernel.stop()
  await server.stop()
})
beforeEach(() => server.reset())

const customer = async (name = 'Ann') => {
  const accountId = newId()
  const email = `${accountId}@mail.test`
  await kernel.run(saveContact, { accountId, email, name })
  return { accountId, email }
}
const orderOf = (customerId: string) => ({ orderId: newId(), customerId, totalMinor: 1999, currency: 'EUR' })
const deliveries = (orderId: string) =>
  kernel.sql`select id, status, workflow from notifications.deliveries where dedupe_key = ${orderId}`

describe('a paid order', () => {
  test('is told once, to the address of its customer, with the total and the order', async () => {
    const { accountId, email } = await customer()
    const order = orderOf(accountId)
    const told = await kernel.run(mailOrderPaid, order)
    expect(told).toMatchObject({ state: 'succeeded', result: { delivery: 'sent', deliveryId: told.id } })
    expect(server.mails).toHaveLength(1)
    expect(server.mails[0]).toMatchObject({
      from: 'orders@shop.test',
      to: [email],
      subject: 'Your receipt: €19.99',
    })
    expect(server.mails[0]?.text).toContain(order.orderId)
    expect(server.mails[0]?.messageId).toBe(`<${told.id}@shop.test>`)
  })
})
