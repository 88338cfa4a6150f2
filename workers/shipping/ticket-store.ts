import type { Sql } from '../../db/client.ts'
import type { Address } from '../../queues/fulfilment.ts'
import type { TicketState } from '../../queues/kitchen.ts'
import type { Tx } from '../../queues/outcome.ts'

export interface NewTicket {
  readonly id: string
  readonly orderId: string
  readonly storeId: string
  readonly customerId: string
  readonly lines: readonly { readonly sku: string; readonly quantity: number }[]
  readonly destination: Address | null
  readonly acceptedAt: Date
}

/** Answers the state of the ticket of this order, which may be there already. */
export async function openTicket(tx: Tx, ticket: NewTicket): Promise<{ id: string; state: TicketState }> {
  const { id, orderId, storeId, customerId, lines, destination, acceptedAt } = ticket
  await tx`
    insert into shipping.tickets (id, order_id, store_id, customer_id, lines, destination, accepted_at)
    values (${id}, ${orderId}, ${storeId}, ${customerId}, ${tx.json([...lines])},
      ${destination === null ? null : tx.json(destination)}, ${acceptedAt})
    on conflict do nothing`
  const [row] = await tx<{ id: string; state: TicketState }[]>`
    select id, state from shipping.tickets where order_id = ${orderId}`
  if (!row) throw new Error(`the ticket of order ${orderId} is neither new nor known`)
  return row
}

export interface TicketRow {
  readonly id: string
  readonly orderId: string
  readonly customerId: string
  readonly lines: readonly { readonly sku: string; readonly quantity: number }[]
}

/** Moves the ticket on if it is in one of these states; null if it is not. */
export async function moveTicket(
  tx: Tx,
  move: {
    readonly id: string
    readonly from: readonly TicketState[]
    readonly to: TicketState
    readonly actorId: string | null
    readonly at: Date
  },
): Promise<TicketRow | null> {
  const { id, from, to, actorId, at } = move
  const [row] = await tx<TicketRow[]>`
    with moved as (
      update shipping.tickets set state = ${to} where id = ${id} and state = any(${[...from]})
      returning id, order_id, customer_id, lines
    ), noted as (
      insert into shipping.ticket_moves (ticket_id, to_state, actor_id, at)
      select id, ${to}, ${actorId}, ${at}::timestamptz from moved
    )
    select id, order_id as "orderId", customer_id as "customerId", lines from moved`
  return row ?? null
}

export async function stateOf(sql: Sql | Tx, id: string): Promise<TicketState | null> {
  const [row] = await sql<{ state: TicketState }[]>`select state from shipping.tickets where id = ${id}`
  return row?.state ?? null
}
