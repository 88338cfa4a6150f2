import { cards } from './cards.ts'
import type { Charge } from './charge.ts'
import { callMishaps, operations, webhookMishaps } from './mischief.ts'

const controls: readonly (readonly [string, string])[] = [
  ['GET /charges/{key}', 'everything about one charge, by the key that it was asked for with'],
  ['GET /events/undelivered?since={ISO 8601}', 'what no webhook could deliver since then'],
  ['GET /ledger', 'everything that was charged, captured, refunded and disputed'],
  ['GET /ledger/totals', 'how many charges, in which status, and how much by currency'],
  ['POST /charges/{key}/disputes', 'the buyer disputes it: {"amountMinor"?, "reason"?}'],
  ['POST /disputes/{reference}', 'the bank decides: {"status": "under_review" | "won" | "lost"}'],
  [
    'POST /charges/{key}/hurry',
    'what happens to it by itself a while later, its lapse included, happens now',
  ],
  [
    'POST /misbehave',
    `the next answers go wrong: {"operation": ${listed(operations)}, "how": ${listed(callMishaps)}, "times"?, "delayMs"?}; ` +
      `or the next webhooks: {"operation": "webhook", "how": ${listed(webhookMishaps)}, "times"?, "delayMs"?}`,
  ],
  ['GET /misbehave', 'what is still to go wrong'],
  ['DELETE /misbehave', 'nothing is to go wrong any more'],
]

/** What it is, its cards and its controls. */
export const frontPage = (): Response =>
  page(
    'Payment simulator',
    `<p>A payment provider without a bank behind it. Cards are told apart by their token; any other is declined.</p>
    ${table([...cards].map(([token, { does }]) => [token, does]))}
    <h2>Controls</h2>${table(controls)}`,
  )

/** Where a buyer approves a charge. */
export const challengePage = ({ amountMinor, currency, status }: Charge): Response =>
  page(
    'Your bank asks',
    status === 'action_required'
      ? `<p>Pay ${amountMinor} minor units of ${escaped(currency)}?</p>
        <form method="post"><button name="answer" value="approve">Approve</button>
        <button name="answer" value="refuse">Refuse</button></form>`
      : `<p>This payment is ${status}. You can close this page.</p>`,
  )

const page = (title: string, body: string): Response =>
  new Response(
    `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
    <title>${title}</title><style>body{font:16px system-ui;margin:2rem;max-width:60rem}td{padding:.2rem 1rem .2rem 0;
    vertical-align:top}td:first-child{font-family:monospace;white-space:nowrap}button{font:inherit;padding:.5rem 1rem}</style>
    <h1>${title}</h1>${body}</html>`,
    {
      headers: {
        'content-type': 'text/html; charset=utf-8',
        'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'",
      },
    },
  )

const table = (rows: readonly (readonly [string, string])[]): string =>
  `<table>${rows.map(([name, text]) => `<tr><td>${escaped(name)}</td><td>${escaped(text)}</td></tr>`).join('')}</table>`

function listed(values: readonly string[]): string {
  return values.map(value => `"${value}"`).join(' | ')
}

const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
