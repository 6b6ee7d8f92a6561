-- The orders to decide next are asked for by day and key, a page at a time. With the key in the index they are read in that
-- order; without it PostgreSQL sorted all that were left for every page.

DROP INDEX orders_to_decide;
CREATE INDEX orders_to_decide ON orders (merchant_id, next_action_on, order_id) WHERE next_action_on IS NOT NULL;
