-- Corrections are kept for ever, as facts are.

CREATE TRIGGER correction_is_not_changed BEFORE UPDATE ON correction
BEGIN
   SELECT RAISE(ABORT, 'corrections are never changed or deleted; a wrong one is met by another');
END;

CREATE TRIGGER correction_is_not_deleted BEFORE DELETE ON correction
BEGIN
   SELECT RAISE(ABORT, 'corrections are never changed or deleted; a wrong one is met by another');
END;

CREATE INDEX provider_line_failed ON provider_line (merchant_id, failed_on) WHERE failed_on IS NOT NULL;

INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('provider_line', 'provider_line_failed', '1000 500 5');
ANALYZE sqlite_schema;
