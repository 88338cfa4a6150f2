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
  const env = { SMTP_URL: server.url, MAIL_FROM: 'Shop <orders@shop.test>' }
  kernel = await testKernel({ services: [notificationsService], env })
})
afterAll(async () => {
  await kernel.stop()
  await server.stop()
})
beforeEach(() => server.reset())

async function customer(name = 'Ann') {
  const accountId = newId()
  const email = `${accountId}@mail.test`
  await kernel.run(saveContact, { accountId, email, name })
  return { accountId, email }
}
const orderOf = (customerId: string) => ({ orderId: newId(), customerId, totalMinor: 1999, currency: 'EUR' })
const newOrder = async () => orderOf((await customer()).accountId)
const statusOf = async (orderId: string) => {
  const rows = await kernel.sql`select status from notifications.deliveries where dedupe_key = ${orderId}`
  return rows.map(row => row.status)
}

describe('a mail about an order', () => {
  test('mail-order-paid: the receipt goes to the customer, with the total and the order', async () => {
    const { accountId, email } = await customer()
    const order = orderOf(accountId)
    const told = await kernel.run(mailOrderPaid, order)
    expect(told).toMatchObject({ state: 'succeeded', result: { delivery: 'sent', deliveryId: told.id } })
    const [mail] = server.mails
    expect(mail).toMatchObject({ from: 'orders@shop.test', to: [email], subject: 'Your receipt: €19.99' })
    expect(mail?.text).toContain(order.orderId)
    expect(mail?.messageId).toBe(`<${told.id}@shop.test>`)
  })
  test('mail-payment-failed and mail-order-cancelled are mails of their own about the same order', async () => {
    const order = await newOrder()
    await kernel.run(mailPaymentFailed, order)
    await kernel.run(mailOrderCancelled, order)
    expect(server.mails.map(({ subject }) => subject)).toEqual([
      'Your payment did not go through',
      'Your order was cancelled',
    ])
  })
  test('names the customer as text, whatever the name is made of', async () => {
    const { accountId, email } = await customer('<img src=x> "Ann" <b@evil.test>, c@evil.test')
    await kernel.run(mailOrderPaid, orderOf(accountId))
    expect(server.mails[0]?.to).toEqual([email])
    expect(server.mails[0]?.toName).toBe('<img src=x> "Ann" <b@evil.test>, c@evil.test')
    expect(server.mails[0]?.html).toContain('Hello &lt;img src=x&gt; &quot;Ann&quot;')
    expect(server.mails[0]?.html).not.toContain('<img')
  })
})

describe('twice is once', () => {
  const commands = [mailOrderPaid, mailPaymentFailed, mailOrderCancelled] as const
  test.each(commands.map(command => [command.name, command] as const))('%s', async (_, command) => {
    const order = await newOrder()
    const first = await kernel.run(command, order)
    const second = await kernel.run(command, order)
    expect(second.result).toEqual(first.result)
    expect(server.mails).toHaveLength(1)
  })
  test('20 times at once', async () => {
    const order = await newOrder()
    const settled = await Promise.all(Array.from({ length: 20 }, () => kernel.run(mailOrderPaid, order)))
    expect(server.mails).toHaveLength(1)
    expect(new Set(settled.map(({ result }) => JSON.stringify(result))).size).toBe(1)
  })
  test('notifications.save-contact: the newest address of an account is the one that counts', async () => {
    const { accountId } = await customer()
    const moved = { accountId, email: 'new@mail.test', name: 'Ann' }
    await kernel.run(saveContact, moved)
    await kernel.run(saveContact, moved)
    const rows = await kernel.sql`select email from notifications.contacts where account_id = ${accountId}`
    expect(rows.map(({ email }) => email)).toEqual(['new@mail.test'])
  })
})

describe('a mail server that falls silent', () => {
  test('after it was given the mail: nobody knows, and it is not sent again', async () => {
    const order = await newOrder()
    server.mood = 'take-and-hang-up'
    const told = await kernel.run(mailOrderPaid, order)
    expect(told).toMatchObject({ state: 'succeeded', result: { delivery: 'unknown' } })
    server.mood = 'take'
    expect((await kernel.run(mailOrderPaid, order)).result).toEqual(told.result)
    expect(server.mails).toHaveLength(1)
    expect(await statusOf(order.orderId)).toEqual(['unknown'])
  })
  test('before it was given the mail: it is sent later, once', async () => {
    const order = await newOrder()
    server.mood = 'hang-up-at-recipient'
    const id = await kernel.send(mailOrderPaid, order)
    await until(async () => (await statusOf(order.orderId))[0] === 'unsent')
    server.mood = 'take'
    await settled(id)
    expect(server.mails).toHaveLength(1)
    expect(await statusOf(order.orderId)).toEqual(['sent'])
  })
})

describe('a mail server that says no', () => {
  test.each(['refuse-for-good', 'refuse-recipient'] as const)(
    '%s: the command is rejected, once and for all',
    async mood => {
      const order = await newOrder()
      server.mood = mood
      expect(await kernel.run(mailOrderPaid, order)).toMatchObject({
        state: 'rejected',
        result: { code: 'mail_refused' },
      })
      server.reset()
      expect(await kernel.run(mailOrderPaid, order)).toMatchObject({ state: 'rejected' })
      expect(server.mails).toHaveLength(0)
      expect(await statusOf(order.orderId)).toEqual(['refused'])
    },
  )
  test('for now: it is asked again', async () => {
    const order = await newOrder()
    server.mood = 'refuse-for-now'
    server.onMail = () => {
      if (server.mails.length > 1) server.mood = 'take'
    }
    expect(await kernel.run(mailOrderPaid, order)).toMatchObject({
      state: 'succeeded',
      result: { delivery: 'sent' },
    })
    expect(server.mails).toHaveLength(2)
    expect(new Set(server.mails.map(({ messageId }) => messageId)).size).toBe(1)
  })
})

describe('a customer whose address is not known', () => {
  test('yet: the mail waits for it, with no attempt used', async () => {
    const accountId = newId()
    const id = await kernel.send(mailOrderPaid, orderOf(accountId))
    await until(async () => (await stateOf(id)) === 'waiting')
    await kernel.run(saveContact, { accountId, email: 'late@mail.test', name: 'Late' })
    await settled(id)
    expect(server.mails.map(({ to }) => to)).toEqual([['late@mail.test']])
    const [row] = await kernel.sql`select failures from journal.commands where id = ${id}`
    expect(row?.failures).toBe(0)
  })
  test('after a minute: the command is rejected', async () => {
    const id = await kernel.send(mailOrderPaid, orderOf(newId()))
    await kernel.sql`update journal.commands set accepted_at = now() - interval '61 seconds' where id = ${id}`
    await settled(id)
    const [row] = await kernel.sql`select state, result from journal.commands where id = ${id}`
    expect(row).toMatchObject({ state: 'rejected', result: { code: 'no_contact' } })
  })
})

async function stateOf(id: string): Promise<string> {
  const [row] = await kernel.sql<{ state: string }[]>`select state from journal.commands where id = ${id}`
  return row?.state ?? 'none'
}
const settled = (id: string) => until(async () => /succeeded|rejected|dead/.test(await stateOf(id)))

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await Bun.sleep(10)
}
