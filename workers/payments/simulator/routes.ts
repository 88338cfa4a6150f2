import { type Book, Refused } from './book.ts'
import { type Card, cardOf, type Mishap } from './cards.ts'
import type { Answer } from './charge.ts'
import { ledgerOf, totalsOf } from './ledger.ts'
import { misbehaving } from './misbehave.ts'
import type { Mischief, Operation, Ordered } from './mischief.ts'
import { challengePage, frontPage } from './pages.ts'
import * as requests from './requests.ts'
import type { Webhooks } from './webhooks.ts'

export interface RouteDeps {
  readonly book: Book
  readonly mischief: Mischief
  readonly webhooks: Webhooks
  /** Resolves when everything so far is kept. */
  readonly written: () => Promise<void>
  /** Carries out what the caller will hear of by its answer. */
  readonly heard: <T>(act: () => T) => T
  readonly slowMs: number
}

type Asked<Path extends string = string> = Bun.BunRequest<Path>

/** What the simulator answers: the operations of a provider, then its controls. */
export function routes({ book, mischief, webhooks, written, heard, slowMs }: RouteDeps) {
  /** Takes effect, is kept, then answered; unless it is to go wrong. */
  async function operate(
    operation: Operation,
    request: Request,
    act: () => Answer,
    own: Ordered<Mishap> | null = null,
  ): Promise<Response> {
    const mishap = own ?? mischief.nextCall(operation)
    const carryOut = async () => {
      const answer = mishap ? act() : heard(act)
      await written()
      return answer
    }
    return mishap ? misbehaving(mishap, carryOut, request.signal) : Response.json(await carryOut())
  }
  const control = async (answer: Answer | object): Promise<Response> => {
    await written()
    return Response.json(answer)
  }

  /** Keys of charges whose first call went wrong, as their card wants it. */
  const heardOf = new Set<string>()
  function mishapOf({ mishap, once }: Card, key: string): Ordered<Mishap> | null {
    if (mishap === undefined || (once && heardOf.has(key))) return null
    if (once) heardOf.add(key)
    return { how: mishap, delayMs: slowMs }
  }

  return {
    '/charges': {
      POST: guarded(async (request: Asked) => {
        const key = requests.keyOf(request)
        const terms = await requests.readCharge(request)
        const mishap = mishapOf(cardOf(terms.paymentMethod), key)
        return operate('charge', request, () => book.charge({ key, ...terms }), mishap)
      }),
    },
    '/charges/:key': {
      GET: guarded(async (request: Asked<'/charges/:key'>) => {
        const find = () => book.find(request.params.key)
        const mishap = mischief.nextCall('find')
        return mishap ? misbehaving(mishap, async () => find(), request.signal) : Response.json(find())
      }),
    },
    '/charges/:key/captures': {
      POST: guarded(async (request: Asked<'/charges/:key/captures'>) => {
        const key = requests.keyOf(request)
        const { amountMinor, isFinal } = await requests.readCapture(request)
        return operate('capture', request, () => book.capture(request.params.key, key, amountMinor, isFinal))
      }),
    },
    '/charges/:key/void': {
      POST: guarded(async (request: Asked<'/charges/:key/void'>) => {
        const key = requests.keyOf(request)
        await requests.readVoid(request)
        return operate('void', request, () => book.void(request.params.key, key))
      }),
    },
    '/charges/:key/refunds': {
      POST: guarded(async (request: Asked<'/charges/:key/refunds'>) => {
        const key = requests.keyOf(request)
        const { amountMinor } = await requests.readRefund(request)
        return operate('refund', request, () => book.refund(request.params.key, key, amountMinor))
      }),
    },

    '/challenges/:reference': {
      GET: guarded(async (request: Asked<'/challenges/:reference'>) =>
        challengePage(book.withReference(request.params.reference)),
      ),
      POST: guarded(async (request: Asked<'/challenges/:reference'>) => {
        const form = new URLSearchParams(await request.text())
        const charge = book.answerChallenge(request.params.reference, form.get('answer') === 'approve')
        await written()
        return challengePage(charge)
      }),
    },

    '/': { GET: () => frontPage() },
    '/healthz': { GET: () => Response.json({ ok: true }) },
    '/events/undelivered': {
      GET: (request: Asked) => {
        const since = new Date(new URL(request.url).searchParams.get('since') ?? 0)
        return Response.json({ events: webhooks.undelivered(since) })
      },
    },
    '/ledger': { GET: () => Response.json(ledgerOf(book.all())) },
    '/ledger/totals': {
      GET: () => Response.json({ ...totalsOf(book.all()), webhooks: webhooks.counts() }),
    },
    '/charges/:key/disputes': {
      POST: guarded(async (request: Asked<'/charges/:key/disputes'>) => {
        const { amountMinor = null, reason = 'fraudulent' } = await requests.readDispute(request)
        return control(book.dispute(request.params.key, amountMinor, reason))
      }),
    },
    '/disputes/:reference': {
      POST: guarded(async (request: Asked<'/disputes/:reference'>) => {
        const { status } = await requests.readVerdict(request)
        return control(book.moveDispute(request.params.reference, status))
      }),
    },
    '/charges/:key/hurry': {
      POST: guarded(async (request: Asked<'/charges/:key/hurry'>) =>
        control({ happened: book.hurry(request.params.key) }),
      ),
    },
    '/misbehave': {
      GET: () => Response.json({ waiting: mischief.waiting() }),
      POST: guarded(async (request: Asked) =>
        control(mischief.order(await request.json().catch(() => null))),
      ),
      DELETE: () => {
        mischief.clear()
        return Response.json({ waiting: [] })
      },
    },
  }
}

const guarded =
  <R extends Request>(answer: (request: R) => Promise<Response>) =>
  async (request: R): Promise<Response> => {
    try {
      return await answer(request)
    } catch (error) {
      if (!(error instanceof Refused)) throw error
      return Response.json({ code: error.code, detail: error.message }, { status: error.status })
    }
  }
