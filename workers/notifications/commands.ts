import { oneStatement } from '../../queues/batch.ts'
import type { mailOrderPaid, notifications } from '../../queues/notifications.ts'
import { done, type Handlers, type Job, later, type Outcome, rejected } from '../../queues/outcome.ts'
import { restMs } from '../runtime/ask.ts'
import type { ServiceDeps } from '../runtime/service.ts'
import { nextStep } from './domain.ts'
import type { Mailer } from './mailer.ts'
import { type Workflow, writeMail } from './mails.ts'
import { type DeliveryRequest, type Ending, end, reserve, saveContact } from './store.ts'

/** Every mail about an order asks and answers alike. */
type MailJob = Pick<Job<typeof mailOrderPaid>, 'id' | 'input' | 'acceptedAt' | 'now' | 'signal'>
type MailOutcome = Outcome<typeof mailOrderPaid>
type MailHandler = (job: MailJob) => Promise<MailOutcome>

export const handlers = (deps: ServiceDeps, mailer: Mailer): Handlers<typeof notifications> => {
  const mail = orderMails(deps, mailer)
  return {
    'notifications.save-contact':
      async ({ input, now }) =>
      async tx => {
        await saveContact(tx, { ...input, now })
        return done({ accountId: input.accountId })
      },
    'notifications.mail-order-paid': mail('order-paid'),
    'notifications.mail-payment-failed': mail('payment-failed'),
    'notifications.mail-order-cancelled': mail('order-cancelled'),
  }
}

/**
 * The delivery is written before the mail server is called and ended after it, so that whoever comes later knows
 * whether the mail may have gone out. Both writes are shared with the mails under way at the same time.
 */
function orderMails({ sql, log }: ServiceDeps, mailer: Mailer): (workflow: Workflow) => MailHandler {
  const begin = oneStatement((requests: readonly DeliveryRequest[]) => reserve(sql, requests))
  const finish = oneStatement((endings: readonly Ending[]) => end(sql, endings))

  return workflow => async job => {
    const { orderId, customerId } = job.input
    if (mailer.resting()) return later(restMs, 'the mail server does not work')
    const step = nextStep(
      await begin({
        commandId: job.id,
        workflow,
        recipientId: customerId,
        dedupeKey: orderId,
        now: job.now,
      }),
      { commandId: job.id, acceptedAt: job.acceptedAt, now: job.now },
    )
    switch (step.kind) {
      case 'wait':
        return later(step.delayMs, step.because)
      case 'no-contact':
        return rejected('no_contact')
      case 'refused':
        return rejected('mail_refused')
      case 'settled':
        return done({ deliveryId: step.deliveryId, delivery: step.delivery })
      case 'give-up':
        log.warn(
          { deliveryId: step.deliveryId, workflow, orderId },
          'a mail was begun and its outcome is unknown',
        )
        await finish({ deliveryId: step.deliveryId, status: 'unknown' })
        return done({ deliveryId: step.deliveryId, delivery: 'unknown' })
      case 'send':
        return send(workflow, step, job)
      default:
        return step satisfies never
    }
  }

  async function send(
    workflow: Workflow,
    { deliveryId, email, name }: { deliveryId: string; email: string; name: string },
    { input, now, signal }: MailJob,
  ): Promise<MailOutcome> {
    const sent = await mailer.send(
      { deliveryId, to: { address: email, name }, at: now, ...writeMail(workflow, name, input) },
      signal,
    )
    switch (sent.kind) {
      case 'sent':
        await finish({ deliveryId, status: 'sent' })
        return done({ deliveryId, delivery: 'sent' })
      case 'unknown':
        log.warn({ deliveryId, workflow, err: sent.cause }, 'the mail server fell silent over a mail')
        await finish({ deliveryId, status: 'unknown' })
        return done({ deliveryId, delivery: 'unknown' })
      case 'refused':
        log.info({ deliveryId, workflow, answer: sent.answer }, 'the mail server refused a mail')
        await finish({ deliveryId, status: 'refused' })
        return rejected('mail_refused')
      case 'resting':
        await finish({ deliveryId, status: 'unsent' })
        return later(restMs, 'the mail server does not work')
      case 'unsent':
        await finish({ deliveryId, status: 'unsent' })
        throw sent.cause
      default:
        return sent satisfies never
    }
  }
}
