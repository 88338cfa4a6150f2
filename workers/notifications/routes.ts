import { Elysia } from 'elysia'

/** Nobody reads from this service yet. */
export const routes = () => new Elysia()

export type NotificationsRoutes = ReturnType<typeof routes>
