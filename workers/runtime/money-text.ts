import { exponentOf } from '../../queues/money.ts'

const formats = new Map<string, Intl.NumberFormat>()

/** 1999 EUR is "€19.99" in English. `amountMinor` is an integer in minor units; no float is involved. */
export function formatMoney(amountMinor: number, currency: string, locale = 'en'): string {
  const digits = exponentOf(currency)
  return formatFor(currency, digits, locale).format(decimal(amountMinor, digits))
}

function formatFor(currency: string, digits: number, locale: string): Intl.NumberFormat {
  const key = `${locale} ${currency}`
  const known = formats.get(key)
  if (known) return known
  const format = new Intl.NumberFormat(locale, {
    style: 'currency',
    currency,
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  })
  formats.set(key, format)
  return format
}

/** Intl takes a decimal string exactly. */
function decimal(amountMinor: number, digits: number): Intl.StringNumericLiteral {
  const sign = amountMinor < 0 ? '-' : ''
  const text = String(Math.abs(amountMinor)).padStart(digits + 1, '0')
  const whole = text.slice(0, text.length - digits)
  return `${sign}${whole}${digits ? `.${text.slice(-digits)}` : ''}` as Intl.StringNumericLiteral
}
