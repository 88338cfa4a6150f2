import { expect, test } from 'bun:test'
import { formatMoney } from './money-text.ts'

test.each([
  [0, 'EUR', '€0.00'],
  [5, 'EUR', '€0.05'],
  [1999, 'EUR', '€19.99'],
  [123_456_789, 'USD', '$1,234,567.89'],
  [1999, 'JPY', '¥1,999'],
  [1999, 'ISK', 'ISK 1,999'],
  [1999, 'HUF', 'HUF 19.99'],
  [1999, 'KWD', 'KWD 1.999'],
  [19_999, 'CLF', 'CLF 1.9999'],
  [Number.MAX_SAFE_INTEGER, 'EUR', '€90,071,992,547,409.91'],
  [-1999, 'EUR', '-€19.99'],
])('%d minor units of %s are %s, to the last digit', (amount, currency, text) => {
  expect(formatMoney(amount, currency).replace(/\u00a0/g, ' ')).toBe(text)
})
