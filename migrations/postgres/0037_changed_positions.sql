-- Reports may list only the positions that a day changed: these are found by index, and a sealed day keeps which it lists.
ALTER TABLE sealed_day ADD COLUMN positions TEXT COLLATE "C" NOT NULL DEFAULT 'all'; -- which positions its reports list: all, changed

DO $$
BEGIN
   -- Where there are triggers, the new column is kept as the others are.
   IF EXISTS (SELECT 1 FROM pg_trigger WHERE tgname = 'sealed_day_is_not_changed') THEN
   DROP TRIGGER sealed_day_is_not_changed ON sealed_day;
   CREATE TRIGGER sealed_day_is_not_changed
   BEFORE UPDATE OF business_date, sequence, previous_seal, seal, buckets, positions
   ON sealed_day FOR EACH STATEMENT EXECUTE FUNCTION paylater_row_is_kept();
   END IF;
END
$$;

CREATE INDEX instalment_decided ON instalment (merchant_id, decided_on, order_id, instalment);
