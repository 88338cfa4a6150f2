import { accountsService } from './accounts/index.ts'
import { catalogService } from './catalog/index.ts'
import { mediaService } from './media/index.ts'
import { notificationsService } from './notifications/index.ts'
import { ordersService } from './orders/index.ts'
import { paymentsService } from './payments/index.ts'
import type { ServiceModule } from './runtime/service.ts'
import { shippingService } from './shipping/index.ts'

/** Every service of the registry, ready to be started. */
export const modules: readonly ServiceModule[] = [
  accountsService,
  catalogService,
  ordersService,
  paymentsService,
  shippingService,
  notificationsService,
  mediaService,
]
