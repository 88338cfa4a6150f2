import { formatMoney } from '../runtime/money-text.ts'

/** What is told to whom: the name of the delivery's workflow. */
export type Workflow = 'order-paid' | 'payment-failed' | 'order-cancelled'

export interface OrderFacts {
  readonly orderId: string
  readonly totalMinor: number
  readonly currency: string
}

export interface Mail {
  readonly subject: string
  readonly text: string
  readonly html: string
}

export function writeMail(workflow: Workflow, name: string, order: OrderFacts): Mail {
  const { subject, paragraphs } = words(
    workflow,
    order.orderId,
    formatMoney(order.totalMinor, order.currency),
  )
  const lines = [`Hello ${name},`, ...paragraphs]
  return {
    subject,
    text: `${lines.join('\n\n')}\n`,
    html: `<!doctype html><html lang="en"><body>${lines.map(line => `<p>${escapeHtml(line)}</p>`).join('')}</body></html>`,
  }
}

function words(
  workflow: Workflow,
  orderId: string,
  total: string,
): { subject: string; paragraphs: string[] } {
  switch (workflow) {
    case 'order-paid':
      return {
        subject: `Your receipt: ${total}`,
        paragraphs: [`thank you. Your payment of ${total} went through.`, `Your order: ${orderId}`],
      }
    case 'payment-failed':
      return {
        subject: 'Your payment did not go through',
        paragraphs: [
          `the payment of ${total} was declined, and no money was taken.`,
          'Your pieces stay reserved for a while: you can pay with another card until the order expires.',
          `Your order: ${orderId}`,
        ],
      }
    case 'order-cancelled':
      return {
        subject: 'Your order was cancelled',
        paragraphs: [
          `your order over ${total} was cancelled.`,
          'If it was paid, the money is on its way back to you.',
          `Your order: ${orderId}`,
        ],
      }
  }
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}
export const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, mark => entities[mark] ?? mark)
