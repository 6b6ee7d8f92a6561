-- What a customer owes a merchant, kept as a sum: an index by customer over all orders is the dearest thing to keep up
-- when a file of a million comes in, each of its pages being touched again and again.

CREATE TABLE exposure (
    merchant_id TEXT   NOT NULL, -- whom
    customer_id TEXT   NOT NULL, -- who
    owed_minor  BIGINT NOT NULL, -- principal outstanding over all orders; the sum of orders.owed_minor
    PRIMARY KEY (merchant_id, customer_id)
);
INSERT INTO exposure (merchant_id, customer_id, owed_minor)
    SELECT merchant_id, customer_id, SUM(owed_minor) FROM orders WHERE owed_minor > 0 GROUP BY merchant_id, customer_id;

DROP INDEX orders_owed;
CREATE INDEX orders_by_oldest_due ON orders (merchant_id, customer_id, oldest_due_on) WHERE oldest_due_on IS NOT NULL;
