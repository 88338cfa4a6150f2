import { listed, page, table } from '../../runtime/html.ts'
import { statuses } from '../carriers/simulator.ts'
import { behaviours, calls, postalCodes } from './moods.ts'
import { hooks } from './parcels.ts'

const controls: readonly (readonly [string, string])[] = [
  ['GET /parcels/{trackingNumber}', 'everything that happened to a parcel'],
  ['GET /labels', 'how many labels were sold'],
  [
    'POST /control/parcels/{trackingNumber}/events',
    `lets things happen to it: {"events": [{"code": ${listed(Object.keys(statuses))}}], "webhooks"?: ${listed(hooks)}}`,
  ],
  [
    'POST /control/next',
    `the next calls go wrong: {"call": ${listed(calls)}, "behaviour": ${listed(behaviours)}, "times"?}`,
  ],
]

/** What it is, and how to make it fail. */
export const frontPage = (): Response =>
  page(
    'Carrier simulator',
    `<p>A carrier without vans. Everything arrives, but for what is sent to these postal codes.</p>
    ${table(postalCodes)}<h2>Controls</h2>${table(controls)}`,
  )
