-- A customer who calls is found by email address, and the customer's orders without reading those of others.

-- Addresses are compared without regard to upper and lower case.
CREATE INDEX customer_by_email ON customer (lower(email));
CREATE INDEX orders_by_customer ON orders (merchant_id, customer_id);
