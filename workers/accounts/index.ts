import { accounts } from '../../queues/accounts.ts'
import { runService } from '../runtime/run.ts'
import { defineService } from '../runtime/service.ts'
import { createAccess } from './access.ts'
import { handlers } from './commands.ts'
import { routes } from './routes.ts'

export const accountsService = defineService(accounts, deps => {
  const access = createAccess(deps)
  return { handlers: handlers(), routes: routes(deps, access), ready: access.ready }
})

if (import.meta.main) await runService(accountsService)
