import { accounts } from './accounts.ts'
import { catalog } from './catalog.ts'
import type { Command, Event, Service } from './command.ts'
import { media } from './media.ts'
import { notifications } from './notifications.ts'
import { orders } from './orders.ts'
import { payments } from './payments.ts'
import { shipping } from './shipping.ts'

/** Every service. What is not here does not exist: no route, no queue, no documentation. */
export const services = [accounts, catalog, orders, payments, shipping, notifications, media] as const
export type AnyService = (typeof services)[number]
export type ServiceName = AnyService['name']
export type AnyCommand = AnyService['commands'][number]
export type CommandName = AnyCommand['name']

export const commands: readonly Command[] = services.flatMap((each: Service) => each.commands)
export const events: readonly Event[] = services.flatMap((each: Service) => each.events)

const byName = new Map(commands.map(each => [each.name, each]))
/** The command of that name; undefined for a name that this release does not know. */
export const findCommand = (name: string): Command | undefined => byName.get(name)

const byEvent = Map.groupBy(
  commands.filter(each => each.on),
  each => each.on?.name,
)
/** The commands that every such event calls for. */
export const subscribersOf = (eventName: string): readonly Command[] => byEvent.get(eventName) ?? []
