/** What a piece of text means; `plain` text stays as it is. */
export type Tone = 'plain' | 'faint' | 'strong' | 'good' | 'warn' | 'bad'
export type Paint = (text: string, tone: Tone) => string

export const plain: Paint = text => text

/** For a terminal. */
export const coloured: Paint = (text, tone) => {
  const [on, off] = codes[tone]
  return on === 0 || text === '' ? text : `\u001b[${on}m${text}\u001b[${off}m`
}

const codes = {
  plain: [0, 0],
  faint: [2, 22],
  strong: [1, 22],
  good: [32, 39],
  warn: [33, 39],
  bad: [31, 39],
} as const satisfies Record<Tone, readonly [on: number, off: number]>

/** Colours only where a person looks: on a terminal, unless NO_COLOR is set (https://no-color.org). */
export const paintFor = (
  stream: { readonly isTTY?: boolean },
  env: Readonly<Record<string, string | undefined>>,
): Paint => (stream.isTTY && !env.NO_COLOR && env.TERM !== 'dumb' ? coloured : plain)
