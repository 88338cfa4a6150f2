import { Elysia } from 'elysia'

export const routes = () => new Elysia()

export type ShippingRoutes = ReturnType<typeof routes>
