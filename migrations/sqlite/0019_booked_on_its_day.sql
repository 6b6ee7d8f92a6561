-- Money is booked on its day, at the day's end: suspense by the close, and what is dated ahead when its day comes.
ALTER TABLE input_row ADD COLUMN effective_on TEXT; -- the day its money takes effect, without a cut-off; null without money
ALTER TABLE input_row ADD COLUMN suspended_on TEXT; -- business date at whose end its money was booked in suspense
ALTER TABLE input_row ADD COLUMN released_on TEXT; -- business date at whose end the money of a row that gave up waiting left suspense

-- Until now money was booked in suspense as its row came, and left it as the row gave up.
UPDATE input_row SET effective_on = opened_on, suspended_on = opened_on,
    released_on = CASE WHEN outcome IN ('pending', 'accepted') THEN NULL ELSE resolved_on END
WHERE content <> '' AND kind IN ('payments', 'refunds', 'chargebacks') AND amount_minor IS NOT NULL;

CREATE INDEX input_row_to_suspend ON input_row (merchant_id, effective_on)
    WHERE outcome = 'pending' AND suspended_on IS NULL AND effective_on IS NOT NULL;
CREATE INDEX input_row_to_release ON input_row (merchant_id, suspended_on)
    WHERE suspended_on IS NOT NULL AND released_on IS NULL AND outcome <> 'pending' AND outcome <> 'accepted';

-- Money by the day it is booked on: the day it came, or its own day if that is later.
DROP INDEX fact_money_by_day;
DROP INDEX fact_chargeback_by_day;
CREATE INDEX fact_money_by_day ON fact (merchant_id, (CASE WHEN effective_on > booked_on THEN effective_on ELSE booked_on END))
    WHERE kind IN ('payment', 'refund');
CREATE INDEX fact_chargeback_by_day ON fact (merchant_id, (CASE WHEN effective_on > booked_on THEN effective_on ELSE booked_on END))
    WHERE kind = 'chargeback';

INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('input_row', 'input_row_to_suspend', '100 50 5'),
    ('input_row', 'input_row_to_release', '100 50 5'),
    ('fact', 'fact_money_by_day', '1000000 500000 500'),
    ('fact', 'fact_chargeback_by_day', '2000 1000 5');
ANALYZE sqlite_schema;
