-- A payment's channel can be corrected, and the close finds what was corrected of its day by index.

ALTER TABLE correction ADD COLUMN channel TEXT COLLATE "C"; -- of a payment: how it was made after all; null as the payment says

-- Money that was dated ahead when it came, and corrections that were: each is looked for on its day.
CREATE INDEX fact_money_ahead ON fact (merchant_id, effective_on)
    WHERE effective_on > booked_on AND kind IN ('payment', 'refund', 'chargeback');
CREATE INDEX correction_ahead ON correction (merchant_id, effective_on)
    WHERE effective_on > booked_on AND kind IN ('payment', 'refund', 'chargeback');

-- Orders that are still open though the next day opens with nothing owed of their price.
CREATE INDEX orders_left_open ON orders (merchant_id, customer_id) WHERE closed_on IS NULL AND owed_minor = 0;
