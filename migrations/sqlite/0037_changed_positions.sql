-- Reports may list only the positions that a day changed: these are found by index, and a sealed day keeps which it lists.
ALTER TABLE sealed_day ADD COLUMN positions TEXT NOT NULL DEFAULT 'all'; -- which positions its reports list: all, changed

DROP TRIGGER sealed_day_is_not_changed;
CREATE TRIGGER sealed_day_is_not_changed
BEFORE UPDATE OF business_date, sequence, previous_seal, seal, buckets, positions ON sealed_day
BEGIN
   SELECT RAISE(ABORT, 'sealed days are never changed or deleted; a wrong one is met by another');
END;

CREATE INDEX instalment_decided ON instalment (merchant_id, decided_on, order_id, instalment);

-- As for the other indexes, what a grown one looks like.
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES ('instalment', 'instalment_decided', '160000 80000 500 1 1');
ANALYZE sqlite_schema;
