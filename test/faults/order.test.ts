import { afterAll, beforeAll, expect, test } from 'bun:test'
import { startMailbox } from '../../deploy/local/mailbox.ts'
import { endChildren } from './children.ts'
import { startPrivateServers } from './servers.ts'
import {
  buy,
  endingOf,
  momentsOfAnOrder,
  onHand,
  openShop,
  type Premises,
  promptInquiries,
  quantity,
  services,
  untilDone,
} from './shop.ts'
import { staggered } from './staggered.ts'
import { type Moment, nameOf } from './steps.ts'

let premises: Premises
beforeAll(async () => {
  const [servers, mailbox] = await Promise.all([startPrivateServers(), startMailbox({ port: 0 })])
  premises = { servers, mailbox }
})
afterAll(async () => {
  await endChildren()
  await Promise.all([premises.servers.stop(), premises.mailbox.stop()])
})

/** The mail is begun, and of one that was begun nobody can tell whether it went out. */
const mailIsBegun = 'postgres with asked as'
const mailIsEnded = 'postgres update notifications.deliveries d'

test('Waybill killed after each step of an order, from its placing to its receipt: paid once, with its pieces and one mail', async () => {
  const all = await momentsOfAnOrder(premises)
  const moments = all.filter(
    ({ step, when }) => step.startsWith('postgres') && (when === 'after' || step === mailIsEnded),
  )
  expect(moments.filter(({ step }) => step === 'postgres commit').length).toBeGreaterThan(2)
  expect(moments.map(({ step }) => step)).toEqual(expect.arrayContaining([mailIsBegun, mailIsEnded]))
  const endings = await staggered(4, moments, dieAt)
  expect(endings.filter(({ died }) => !died).map(({ moment }) => nameOf(moment))).toEqual([])
  const expected = moments.map(moment => ({ at: nameOf(moment), ...paidOnce, ...mailAfter(moment) }))
  expect(endings.map(({ moment, ending }) => ({ at: nameOf(moment), ...ending }))).toEqual(expected)
})

const paidOnce = {
  state: 'paid',
  available: onHand - quantity,
  pieces: 'committed',
  charges: 1,
  deadLetters: 0,
  broken: [],
}

/** Told twice is worse than not told: a mail in doubt is not sent again. */
function mailAfter({ step, when }: Moment): { delivery: string; mails: number } {
  if (step === mailIsBegun) return { delivery: 'unknown', mails: 0 }
  if (step === mailIsEnded && when === 'before') return { delivery: 'unknown', mails: 1 }
  return { delivery: 'sent', mails: 1 }
}

/** The application dies at that moment; then its services come back. */
async function dieAt(moment: Moment) {
  const { world, taps, child, close } = await openShop(premises)
  taps.arm(moment, () => child.kill('SIGKILL'))
  const order = await buy(world, 'TEA')
  const died = await Promise.race([child.ended.then(() => true), Bun.sleep(3_000).then(() => false)])
  child.kill('SIGKILL')
  return async () => {
    await world.start(services, {}, { SMTP_URL: premises.mailbox.url, ...promptInquiries })
    await untilDone(world, order)
    const ending = await endingOf(world, order, premises)
    await close()
    return { moment, died, ending }
  }
}
