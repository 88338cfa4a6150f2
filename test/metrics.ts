/** One line of a scrape. */
export interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

const help = /^# HELP [a-zA-Z_:][a-zA-Z0-9_:]* [^\n]+$/
const type = /^# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge|histogram|summary|untyped)$/
const sample =
  /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (NaN|[+-]Inf|[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)$/
const label = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(,|$)/y

/** Reads the text format of Prometheus, version 0.0.4. Throws at what it does not allow: the line is in the message. */
export function parseMetrics(text: string): readonly Sample[] {
  if (!text.endsWith('\n')) throw new Error('the last line has no end')
  const types = new Set<string>()
  const seen = new Set<string>()
  const samples: Sample[] = []
  for (const line of text.split('\n')) {
    if (line === '' || help.test(line)) continue
    const typed = type.exec(line)?.[1]
    if (typed !== undefined) {
      if (types.has(typed)) throw new Error(`a second type: ${line}`)
      types.add(typed)
      continue
    }
    const read = parseSample(line)
    const family = read.name.replace(/_(bucket|sum|count)$/, '')
    if (!types.has(read.name) && !types.has(family)) throw new Error(`no type before: ${line}`)
    const key = `${read.name} ${JSON.stringify(read.labels)}`
    if (seen.has(key)) throw new Error(`twice: ${line}`)
    seen.add(key)
    samples.push(read)
  }
  return samples
}

function parseSample(line: string): Sample {
  const [, name, labels = '', value] = sample.exec(line) ?? []
  if (name === undefined || value === undefined) throw new Error(`no line of a scrape: ${line}`)
  return { name, labels: parseLabels(labels, line), value: Number(value.replace('Inf', 'Infinity')) }
}

function parseLabels(text: string, line: string): Record<string, string> {
  const labels: Record<string, string> = {}
  for (let at = 0; at < text.length; at = label.lastIndex) {
    label.lastIndex = at
    const [, name, value] = label.exec(text) ?? []
    if (name === undefined || value === undefined) throw new Error(`no labels: ${line}`)
    labels[name] = value.replaceAll(/\\([\\"n])/g, (_, escaped) => (escaped === 'n' ? '\n' : escaped))
  }
  return labels
}

const has = (labels: Readonly<Record<string, string>>, wanted: Readonly<Record<string, string>>) =>
  Object.entries(wanted).every(([name, value]) => labels[name] === value)

/** The value of the one sample with this name and these labels; undefined if there is none. */
export const figureOf = (
  samples: readonly Sample[],
  name: string,
  labels: Readonly<Record<string, string>> = {},
) => samples.find(each => each.name === name && has(each.labels, labels))?.value

export const labelsOf = (samples: readonly Sample[], name: string) =>
  samples.filter(each => each.name === name).map(({ labels }) => labels)
