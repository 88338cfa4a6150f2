export const calls = ['rates', 'label', 'find', 'cancel', 'track'] as const
export type Call = (typeof calls)[number]
export const behaviours = ['slow', 'silent_before', 'silent_after', 'error_before', 'error_after'] as const
export type Behaviour = (typeof behaviours)[number]

/** Parcels to there are lost. */
export const lostCode = 'SIM-LOST'

type Mood = { readonly does: string } & Partial<Record<Call, Behaviour | 'nowhere' | 'no_address'>>

/** What a destination brings about, by its postal code. Of a label, the first call alone goes wrong. */
const byPostalCode: Readonly<Record<string, Mood>> = {
  'SIM-SLOW': { does: 'rates come late, and so does the label', rates: 'slow', label: 'slow' },
  'SIM-SILENT': { does: 'rates are not answered: the table of the store counts', rates: 'silent_before' },
  'SIM-ERROR': { does: 'rates are answered by an error: so, too', rates: 'error_before' },
  'SIM-NOWHERE': { does: 'this carrier does not go there', rates: 'nowhere' },
  'SIM-UNKNOWN': { does: 'there is no such address', rates: 'no_address', label: 'no_address' },
  'SIM-REFUSED': { does: 'there are rates, and no label', label: 'no_address' },
  'SIM-LABEL-SILENT': { does: 'no label at first, and silence', label: 'silent_before' },
  'SIM-SILENT-AFTER': { does: 'the label is sold, and then silence', label: 'silent_after' },
  'SIM-LABEL-ERROR': { does: 'no label at first, and an error', label: 'error_before' },
  'SIM-ERROR-AFTER': { does: 'the label is sold, and then an error', label: 'error_after' },
  [lostCode]: { does: 'the parcel is lost on its way' },
}

export const postalCodes = Object.entries(byPostalCode).map(([code, { does }]) => [code, does] as const)

/** Whether a call is answered, and when. */
export function createMoods({
  slowMs = 1_000,
  silentMs = 30_000,
}: {
  readonly slowMs?: number
  readonly silentMs?: number
}) {
  const asked = new Map<Call, Behaviour[]>()
  const seen = new Set<string>()

  const moodOf = (call: Call, postalCode: string, key: string | null) => {
    const told = asked.get(call)?.shift()
    if (told) return told
    const mood = byPostalCode[postalCode]?.[call]
    if (key === null || mood === 'no_address') return mood
    if (seen.has(key)) return undefined
    seen.add(key)
    return mood
  }
  return {
    /** The next calls of this kind go wrong in this way, whoever makes them. */
    next: ({
      call,
      behaviour,
      times = 1,
    }: {
      call: Call
      behaviour: Behaviour
      times?: number
    }): Response => {
      asked.set(call, [...(asked.get(call) ?? []), ...Array<Behaviour>(times).fill(behaviour)])
      return Response.json({})
    },
    carryOut: async (
      call: Call,
      postalCode: string,
      key: string | null,
      act: () => Response,
    ): Promise<Response> => {
      const mood = moodOf(call, postalCode, key)
      switch (mood) {
        case undefined:
          return act()
        case 'slow':
          await Bun.sleep(slowMs)
          return act()
        case 'silent_before':
          return await silence(silentMs)
        case 'silent_after':
          act()
          return await silence(silentMs)
        case 'error_before':
          return Response.json({}, { status: 503 })
        case 'error_after':
          act()
          return Response.json({}, { status: 503 })
        case 'nowhere':
          return Response.json({ rates: [] })
        case 'no_address':
          return Response.json({ message: 'There is no such postal code.' }, { status: 422 })
      }
    },
  }
}

async function silence(ms: number): Promise<Response> {
  await Bun.sleep(ms)
  return Response.json({}, { status: 504 })
}
