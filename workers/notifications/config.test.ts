import { describe, expect, test } from 'bun:test'
import { readConfig } from './config.ts'

describe('MAIL_FROM', () => {
  test.each([
    ['Shop <orders@shop.test>', { name: 'Shop', address: 'orders@shop.test' }],
    ['My Shop, Ltd. <orders@shop.test>', { name: 'My Shop, Ltd.', address: 'orders@shop.test' }],
    ['<orders@shop.test>', { name: '', address: 'orders@shop.test' }],
    ['orders@shop.test', { name: '', address: 'orders@shop.test' }],
  ])('%s', (MAIL_FROM, from) => {
    expect(readConfig({ MAIL_FROM }).from).toEqual(from)
  })
  test.each([
    'Shop',
    'Shop orders@shop.test',
    'Shop <orders>',
    'A <a@b.test>, B <b@b.test>',
    'A\r\nB <a@b.test>',
  ])('%p stops the start by its name', MAIL_FROM => {
    expect(() => readConfig({ MAIL_FROM })).toThrow(/^setting MAIL_FROM: /)
  })
})

describe('SMTP_URL', () => {
  test('has a default for development, refused in production', () => {
    expect(readConfig({}).smtpUrl).toBe('smtp://127.0.0.1:1025')
    expect(() => readConfig({ NODE_ENV: 'production' })).toThrow(/^setting SMTP_URL: /)
    expect(readConfig({ NODE_ENV: 'production', SMTP_URL: 'smtps://mail.test' }).smtpUrl).toBe(
      'smtps://mail.test',
    )
  })
  test('that is no mail server stops the start by its name', () => {
    expect(() => readConfig({ SMTP_URL: 'http://mail.test' })).toThrow(/^setting SMTP_URL: /)
  })
})
