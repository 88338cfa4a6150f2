import { type Rejected, rejected } from '../../queues/outcome.ts'

export interface Stock {
  readonly onHand: number
  readonly reserved: number
}

/** Pieces that can be sold now. */
export const availableOf = ({ onHand, reserved }: Stock): number => onHand - reserved

/** Why the pieces on hand could not be set: the product is not there (null), or more of it is reserved. */
export const refuseStock = (
  current: Stock | null,
): Rejected<'product_not_found'> | Rejected<'below_reserved'> =>
  current === null
    ? rejected('product_not_found')
    : rejected('below_reserved', { reserved: current.reserved })
