-- What is kept for ever can't be changed or deleted by ordinary means: a wrong row is met by another. Orders keep what they
-- were taken in with, rows of files what came and, once they wait no more, what became of them.
--
-- Citus refuses triggers. Where it is installed, or the setting paylater.triggers is off (ALTER DATABASE … SET
-- paylater.triggers = 'off'), there are none, and rights take their place: see docs/operating.md.

CREATE FUNCTION paylater_row_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
   RAISE EXCEPTION 'rows of % are never changed or deleted; a wrong one is met by another', TG_TABLE_NAME;
END
$$;

DO $$
DECLARE
   kept TEXT;
BEGIN
   IF EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'citus')
   OR COALESCE(current_setting('paylater.triggers', true), 'on') = 'off' THEN
   RETURN;
   END IF;
   FOREACH kept IN ARRAY ARRAY['journal', 'fact', 'credit_step', 'account_balance', 'merchant_day', 'sealed_file'] LOOP
   EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE OR DELETE OR TRUNCATE ON %I
   FOR EACH STATEMENT EXECUTE FUNCTION paylater_row_is_kept()', kept || '_is_kept', kept);
   END LOOP;
   FOREACH kept IN ARRAY ARRAY['orders', 'sealed_day', 'input_row', 'file', 'exception'] LOOP
   EXECUTE format('CREATE TRIGGER %I BEFORE DELETE OR TRUNCATE ON %I
   FOR EACH STATEMENT EXECUTE FUNCTION paylater_row_is_kept()', kept || '_is_not_deleted', kept);
   END LOOP;
   CREATE TRIGGER orders_is_not_changed BEFORE UPDATE OF
   merchant_id, order_id, customer_id, amount_minor, currency, ordered_at, ordered_on, item, declined, credit_score,
   agreement_id, term, policy_version, content, booked_on, file_no, line
   ON orders FOR EACH STATEMENT EXECUTE FUNCTION paylater_row_is_kept();
   CREATE TRIGGER sealed_day_is_not_changed BEFORE UPDATE OF business_date, sequence, previous_seal, seal, buckets
   ON sealed_day FOR EACH STATEMENT EXECUTE FUNCTION paylater_row_is_kept();
   CREATE TRIGGER input_row_is_not_changed BEFORE UPDATE ON input_row FOR EACH ROW
   -- Of a row that no longer waits only the day on which its money left suspense is still to come.
   WHEN ((OLD.outcome <> 'pending' AND (NEW.outcome IS DISTINCT FROM OLD.outcome
     OR NEW.code IS DISTINCT FROM OLD.code
     OR NEW.message IS DISTINCT FROM OLD.message
     OR NEW.resolved_on IS DISTINCT FROM OLD.resolved_on
     OR NEW.told_on IS DISTINCT FROM OLD.told_on
     OR NEW.effective_on IS DISTINCT FROM OLD.effective_on
     OR NEW.suspended_on IS DISTINCT FROM OLD.suspended_on
     OR OLD.released_on IS NOT NULL))
   OR NEW.file_no IS DISTINCT FROM OLD.file_no
   OR NEW.line IS DISTINCT FROM OLD.line
   OR NEW.merchant_id IS DISTINCT FROM OLD.merchant_id
   OR NEW.kind IS DISTINCT FROM OLD.kind
   OR NEW.row_key IS DISTINCT FROM OLD.row_key
   OR NEW.order_id IS DISTINCT FROM OLD.order_id
   OR NEW.content IS DISTINCT FROM OLD.content
   OR NEW.fingerprint IS DISTINCT FROM OLD.fingerprint
   OR NEW.amount_minor IS DISTINCT FROM OLD.amount_minor
   OR NEW.currency IS DISTINCT FROM OLD.currency
   OR NEW.opened_on IS DISTINCT FROM OLD.opened_on)
   EXECUTE FUNCTION paylater_row_is_kept();
END
$$;
