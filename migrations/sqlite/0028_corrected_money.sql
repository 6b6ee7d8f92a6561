-- A payment's channel can be corrected, and the close finds what was corrected of its day by index.

ALTER TABLE correction ADD COLUMN channel TEXT; -- of a payment: how it was made after all; null as the payment says

-- Money that was dated ahead when it came, and corrections that were: each is looked for on its day.
CREATE INDEX fact_money_ahead ON fact (merchant_id, effective_on)
    WHERE effective_on > booked_on AND kind IN ('payment', 'refund', 'chargeback');
CREATE INDEX correction_ahead ON correction (merchant_id, effective_on)
    WHERE effective_on > booked_on AND kind IN ('payment', 'refund', 'chargeback');

-- Orders that are still open though the next day opens with nothing owed of their price.
CREATE INDEX orders_left_open ON orders (merchant_id, customer_id) WHERE closed_on IS NULL AND owed_minor = 0;

-- As for the other tables, what grown ones look like.
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('fact', 'fact_money_ahead', '1000 500 5'),
    ('correction', 'correction_ahead', '100 50 2'),
    ('orders', 'orders_left_open', '2000 1000 2');
ANALYZE sqlite_schema;
