-- A customer who calls is found by email address, and the customer's orders without reading those of others.

-- Addresses are compared without regard to upper and lower case.
CREATE INDEX customer_by_email ON customer (lower(email));
CREATE INDEX orders_by_customer ON orders (merchant_id, customer_id);

-- As for the other tables, what grown ones look like.
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('customer', 'customer_by_email', '40000 1'),
    ('orders', 'orders_by_customer', '185000 92500 5');
ANALYZE sqlite_schema;
