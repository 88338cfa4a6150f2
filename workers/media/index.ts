import { media } from '../../queues/media.ts'
import { runService } from '../runtime/run.ts'
import { defineService } from '../runtime/service.ts'
import { handlers } from './commands.ts'
import { readConfig } from './config.ts'
import { createFiles } from './files.ts'
import { routes } from './routes.ts'

export const mediaService = defineService(media, deps => {
  const config = readConfig(deps.env)
  const files = createFiles(config.dir)
  return {
    handlers: handlers(deps, config, files),
    routes: routes(deps, config, files),
    ready: () => files.prepare(deps.now()),
  }
})

if (import.meta.main) await runService(mediaService)
