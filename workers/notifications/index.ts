import { notifications } from '../../queues/notifications.ts'
import { runService } from '../runtime/run.ts'
import { defineService } from '../runtime/service.ts'
import { handlers } from './commands.ts'
import { readConfig } from './config.ts'
import { createMailer, smtp } from './mailer.ts'
import { routes } from './routes.ts'

export const notificationsService = defineService(notifications, deps => {
  const mailer = createMailer(readConfig(deps.env), deps.ask(smtp))
  return {
    handlers: handlers(deps, mailer),
    routes: routes(),
    close: async () => mailer.close(),
  }
})

if (import.meta.main) await runService(notificationsService)
