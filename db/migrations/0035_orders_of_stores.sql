-- A store sees the orders that it has to do something about, the oldest first.

create index orders_to_do on orders.orders (store_id, state, id) where state in ('paid', 'fulfilling', 'return_requested');
