import { expect, test } from 'bun:test'
import PostalMime from 'postal-mime'
import { composeMessage } from './message.ts'

const letter = {
  deliveryId: '01a1fd05-a66a-746c-82c5-e1e5384b90d1',
  to: { name: 'Ann', address: 'ann@mail.test' },
  at: new Date('2026-01-02T03:04:05Z'),
  subject: 'Your receipt: €19.99',
  text: 'Hello Ann,\n\nthank you.\n',
  html: '<p>Hello Ann,</p>',
}
const from = { name: 'Shop', address: 'orders@shop.test' }

test('a mail program reads what was written', async () => {
  const read = await PostalMime.parse(composeMessage(letter, from))
  expect(read).toMatchObject({
    from,
    to: [letter.to],
    subject: letter.subject,
    messageId: `<${letter.deliveryId}@shop.test>`,
    date: '2026-01-02T03:04:05.000Z',
    text: letter.text,
    html: letter.html,
  })
})

test.each([
  'Zoë Müller',
  'Иван Иванович Иванов',
  '山田太郎',
  '👩‍👩‍👧‍👦'.repeat(8),
  'O’Neil, "Ann" <b@evil.test>',
  'a=?utf-8?B?eA==?=b',
  'x'.repeat(200),
  'Ann\r\nBcc: all@evil.test',
  '',
])('a customer may be called %p', async name => {
  const message = composeMessage({ ...letter, to: { name, address: 'ann@mail.test' } }, from)
  const { to, bcc } = await PostalMime.parse(message)
  expect(to).toEqual([{ name, address: 'ann@mail.test' }])
  expect(bcc ?? []).toEqual([])
})

test('a domain in letters of its own country is written as the mail system knows it', () => {
  const message = composeMessage({ ...letter, to: { name: '', address: 'ann@müller.test' } }, from)
  expect(message).toContain('To: <ann@xn--mller-kva.test>')
})

test('every line is ASCII and no longer than 78 characters', () => {
  const long = { ...letter, subject: '€'.repeat(300), text: '€'.repeat(3_000), html: '€'.repeat(3_000) }
  const lines = composeMessage(
    { ...long, to: { name: 'é'.repeat(200), address: 'a@mail.test' } },
    from,
  ).split('\r\n')
  expect(Math.max(...lines.map(line => line.length))).toBeLessThanOrEqual(78)
  expect(lines.filter(line => !/^[\x20-\x7e]*$/.test(line))).toEqual([])
})
