import { isCurrency } from '../../../queues/money.ts'
import { escaped, listed, page, table } from '../../runtime/html.ts'
import { formatMoney } from '../../runtime/money-text.ts'
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
      ? `<p>Pay ${amountText(amountMinor, currency)}?</p>
        <form method="post"><button name="answer" value="approve">Approve</button>
        <button name="answer" value="refuse">Refuse</button></form>`
      : `<p>This payment is ${status}. You can close this page.</p>`,
  )

const amountText = (amountMinor: number, currency: string): string =>
  isCurrency(currency)
    ? formatMoney(amountMinor, currency)
    : `${amountMinor} minor units of ${escaped(currency)}`
