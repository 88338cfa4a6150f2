import type { orders } from '../../queues/orders.ts'
import type { Handlers } from '../../queues/outcome.ts'
import { done, rejected } from '../../queues/outcome.ts'
import { newDiscount } from './discount.ts'
import { endDiscount, hasStore, insertDiscount } from './discounts.ts'

export const discountHandlers: Pick<
  Handlers<typeof orders>,
  'orders.create-discount' | 'orders.end-discount'
> = {
  'orders.create-discount': async job => {
    const discount = newDiscount(job.input, job.acceptedAt)
    if ('kind' in discount) return discount
    return async tx => {
      if (discount.storeId !== null && !(await hasStore(tx, discount.storeId)))
        return rejected('store_not_found')
      const isThere = await insertDiscount(tx, { ...discount, id: job.id, createdAt: job.now })
      return isThere ? done({ discountId: job.id, code: discount.code }) : rejected('code_taken')
    }
  },

  'orders.end-discount':
    async ({ input: { code }, now }) =>
    async tx => {
      const endsAt = await endDiscount(tx, code, now)
      return endsAt ? done({ code, endsAt: endsAt.toISOString() }) : rejected('discount_not_found')
    },
}
