// What `npm start` runs: `npm start -- --help` tells.
import { paintFor } from '../../client/paint.ts'
import { bringUp, type Up } from './bring-up.ts'
import { developmentAccounts, ensureDevelopmentAccounts } from './development-accounts.ts'
import { convertSampleVideo } from './sample-conversion.ts'
import { placeSampleOrder } from './sample-order.ts'
import { ensureSampleProducts } from './sample-products.ts'
import { ensureSampleStores } from './sample-stores.ts'
import { signIn } from './session.ts'
import { exitWith } from './setup-error.ts'
import { onStopRequest } from './signals.ts'
import { helpText, readOptions, type StartOptions } from './start-options.ts'
import { conversionText, orderText, upText, welcomeText } from './start-text.ts'

const paint = paintFor(process.stdout, process.env)
const closers: (() => Promise<unknown>)[] = []
let isStopping = false
let isWelcome = false

onStopRequest(async exitCode => {
  isStopping = true
  if (isWelcome) console.log('\nStopping ...')
  await close()
  // Ctrl-C is how a start is meant to end; before that it was broken off.
  process.exit(isWelcome ? 0 : exitCode)
})

try {
  await start(readOptions(process.argv.slice(2), process.env))
} catch (error) {
  // What breaks while everything is being stopped is no news.
  if (isStopping) await Promise.withResolvers().promise
  await close()
  exitWith(error)
}

async function start(options: StartOptions): Promise<void> {
  if (options.help) {
    console.log(helpText)
    process.exit(0)
  }
  const up = await bringUp(options, closers)
  console.log(`${upText(up, performance.now(), paint)}\n`)
  const succeeded = await tellStories(up, options.dir)
  if (options.exit) {
    await close()
    process.exit(succeeded ? 0 : 1)
  }
  isWelcome = true
  console.log(`${welcomeText(up, paint)}\n\nCtrl-C stops everything.`)
}

async function tellStories({ url, servers, mailbox, databases }: Up, dir: string): Promise<boolean> {
  await ensureDevelopmentAccounts(databases)
  const { merchant, operator, customer } = developmentAccounts
  const [seller, platform] = await Promise.all([signIn(url, merchant), signIn(url, operator)])
  await Promise.all([ensureSampleProducts(seller.client), ensureSampleStores(platform.client)])
  const buyer = await signIn(url, customer)
  const order = await placeSampleOrder(buyer, mailbox)
  console.log(`${orderText(order, paint)}\n`)
  const conversion = await convertSampleVideo(buyer, { dir, ffmpeg: servers.env.FFMPEG })
  console.log(`${conversionText(conversion, paint)}\n`)
  return order.succeeded && conversion.succeeded
}

/** In the reverse order of starting: the application first, its databases last. */
async function close(): Promise<void> {
  for (const stop of closers.splice(0).reverse()) await stop()
}
