-- Corrections are kept for ever, as facts are. Triggers are left out where those of 0022 are.

DO $$
BEGIN
   IF EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'citus')
   OR COALESCE(current_setting('paylater.triggers', true), 'on') = 'off' THEN
   RETURN;
   END IF;
   CREATE TRIGGER correction_is_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON correction
   FOR EACH STATEMENT EXECUTE FUNCTION paylater_row_is_kept();
END
$$;

CREATE INDEX provider_line_failed ON provider_line (merchant_id, failed_on) WHERE failed_on IS NOT NULL;
