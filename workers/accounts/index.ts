import { accounts } from '../../queues/accounts.ts'
import type { ServiceDeps } from '../runtime/service.ts'
import { createAccess } from './access.ts'
import { handlers } from './commands.ts'
import { routes } from './routes.ts'

export const createAccounts = (deps: ServiceDeps) => {
  const access = createAccess(deps)
  return { contract: accounts, handlers: handlers(), routes: routes(deps, access), ready: access.ready }
}
