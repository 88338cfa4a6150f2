import { relative } from 'node:path'
import type { Paint } from '../../client/paint.ts'
import { durationText, storyText } from '../../client/story-text.ts'
import { formatMoney } from '../../workers/runtime/money-text.ts'
import type { Up } from './bring-up.ts'
import { developmentAccounts } from './development-accounts.ts'
import type { ConversionRun } from './sample-conversion.ts'
import type { OrderRun } from './sample-order.ts'
import { sampleProducts } from './sample-products.ts'

/** What runs, and how long it took to get there. */
export function upText({ servers, mailbox, applied }: Up, tookMs: number, paint: Paint): string {
  const { DATABASE_URL, REDIS_URL, FFMPEG } = servers.env
  return [
    ...table([
      ['postgres', placeOf(DATABASE_URL, servers.postgres)],
      ['redis', placeOf(REDIS_URL, servers.redis)],
      ['ffmpeg', FFMPEG],
      ['mailbox', mailbox.url],
      ['migrations', applied.length === 0 ? 'nothing to apply' : `${applied.length} applied`],
    ]),
    '',
    paint(`Ready in ${durationText(tookMs)}`, 'strong'),
  ].join('\n')
}

export function orderText({ request, story, order, mail, succeeded }: OrderRun, paint: Paint): string {
  const facts = order && [
    ['order', `${order.id}, ${formatMoney(order.totalMinor, order.currency)}, ${order.state}`],
    ...order.history.map(({ to, cause, at }, index) => [
      index === 0 ? 'states' : '',
      `${sinceText(request.sentAt, at)}${to.padEnd(16)}  by ${cause}`,
    ]),
    ['mail', mail ? `"${mail.subject}" to ${mail.to.join(', ')}` : 'none came'],
  ]
  return section('One order', storyText(story, { request, paint }), facts, succeeded, paint)
}

export function conversionText(run: ConversionRun, paint: Paint): string {
  const { video, upload, uploaded, request, story, mp3, succeeded } = run
  const sent = `${shortPath(video)}, ${sizeText(upload.bytes)}, in ${durationText(uploaded.tookMs)}`
  const facts = [
    ['upload', sent],
    ...(mp3
      ? [['mp3', `${shortPath(mp3.file)}, ${sizeText(mp3.bytes)}, ${durationText(mp3.durationMs)} of sound`]]
      : []),
  ]
  return section('One video to mp3', storyText(story, { request, paint }), facts, succeeded, paint)
}

/** Where to go next. */
export function welcomeText({ url, mailbox, mailsDir, provider, carrier }: Up, paint: Paint): string {
  const logins = Object.values(developmentAccounts).map(({ email, password, roles }) => [
    roles.join(', '),
    `${email}  ${password}`,
  ])
  const megabytes = Math.round(process.memoryUsage.rss() / 1e6)
  return [
    paint('Now', 'strong'),
    ...table([
      ['API', url],
      ['OpenAPI', `${url}/openapi.json`],
      ['problems', `${url}/problems`],
      ['products', sampleProducts.map(({ sku }) => sku).join(', ')],
      ['mails', `${shortPath(mailsDir)}, by ${mailbox.url}`],
      ['payments', `${provider.url}, a simulator: its page lists its cards and how to make it fail`],
      ['parcels', `${carrier.url}, a carrier that delivers in 15 s: its page says how to lose one`],
      ...logins,
      ['memory', `${megabytes} MB`],
    ]),
  ].join('\n')
}

function section(
  title: string,
  story: string,
  facts: string[][] | null,
  succeeded: boolean,
  paint: Paint,
): string {
  const verdict = succeeded ? paint('succeeded', 'good') : paint('did not succeed', 'bad')
  return [
    `${paint(`${title}:`, 'strong')} ${verdict}`,
    '',
    story,
    ...(facts && facts.length > 0 ? ['', ...table(facts)] : []),
  ].join('\n')
}

function table(rows: readonly (readonly string[])[]): string[] {
  const width = Math.max(...rows.map(([name = '']) => name.length))
  return rows.map(([name = '', text = '']) => `  ${name.padEnd(width)}  ${text}`)
}

/** Without the password. */
function placeOf(url: string, own: object | undefined): string {
  return `${new URL(url).host}${own ? '' : ', as the environment names it'}`
}

const sinceText = (begin: Date, at: string) => durationText(Date.parse(at) - begin.getTime()).padEnd(9)

const sizeText = (bytes: number) =>
  bytes < 1e6 ? `${Math.round(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`

/** From where the person stands, when that is shorter. */
function shortPath(path: string): string {
  const near = relative(process.cwd(), path)
  return near.startsWith('..') ? path : near
}
