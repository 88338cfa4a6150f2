import type { Mishap } from './cards.ts'
import type { Ordered } from './mischief.ts'

/** Lets an answer go wrong: `act` takes effect before that, or not at all. */
export async function misbehaving(
  { how, delayMs }: Ordered<Mishap>,
  act: () => Promise<object>,
  callerLeft: AbortSignal,
): Promise<Response> {
  switch (how) {
    case 'slow':
      await Bun.sleep(delayMs)
      return Response.json(await act())
    case 'silent_before':
      return silence(callerLeft)
    case 'silent_after':
      await act()
      return silence(callerLeft)
    case 'cut_before':
      return cut()
    case 'cut_after':
      await act()
      return cut()
    case 'error_before':
      return failure()
    case 'error_after':
      await act()
      return failure()
  }
}

/** No answer, until the caller gives up. */
const silence = (callerLeft: AbortSignal): Promise<Response> =>
  new Promise(resolve => {
    const end = () => resolve(failure())
    if (callerLeft.aborted) end()
    else callerLeft.addEventListener('abort', end, { once: true })
  })

/** A body that breaks off: the server closes the connection instead of an answer. */
const cut = (): Response =>
  new Response(
    new ReadableStream({
      pull: async controller => {
        await Promise.resolve()
        controller.error()
      },
    }),
  )

const failure = (): Response => Response.json({ code: 'internal_error' }, { status: 500 })
