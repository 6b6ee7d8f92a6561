-- Chargebacks, write-offs and recovery, and what the holds of a day stop together.
ALTER TABLE instalment ADD COLUMN stopped TEXT NOT NULL DEFAULT ''; -- effects of the holds that cover decided_on, by name
ALTER TABLE instalment ADD COLUMN written_off_on DATE; -- the day it was written off, if it was
ALTER TABLE instalment ADD COLUMN written_off_minor BIGINT NOT NULL DEFAULT 0; -- principal written off, less refunds since
ALTER TABLE instalment ADD COLUMN recovered_minor BIGINT NOT NULL DEFAULT 0; -- of that, paid since

-- flagged_on is from now on the day of the flag that stands; one that was corrected does not.
UPDATE instalment SET flagged_on = NULL WHERE credit_status IN ('clear', 'on_time', 'corrected');

-- Held orders are decided anew, so that their rows learn what the holds stop.
UPDATE orders SET next_action_on = (SELECT business_date FROM scheme)
WHERE EXISTS (SELECT 1 FROM instalment i
              WHERE i.merchant_id = orders.merchant_id AND i.order_id = orders.order_id AND i.hold IS NOT NULL);

CREATE INDEX fact_chargeback_by_day ON fact (merchant_id, booked_on) WHERE kind = 'chargeback';
