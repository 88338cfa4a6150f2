import type { accounts } from '../../queues/accounts.ts'
import { done, type Handlers, rejected } from '../../queues/outcome.ts'
import { setRoles } from './store.ts'

export const handlers = (): Handlers<typeof accounts> => ({
  'accounts.assign-roles':
    async ({ input }) =>
    async tx => {
      const roles = await setRoles(tx, input.accountId, input.roles)
      return roles ? done({ accountId: input.accountId, roles }) : rejected('account_not_found')
    },
})
