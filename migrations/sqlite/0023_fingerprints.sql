-- What each seal covers of the store, and when it was last proved that this is still so.

-- Of a day and merchant: the rows that the day's reports and proofs are computed from.
CREATE TABLE day_fingerprint (
    merchant_id   TEXT NOT NULL, -- whose rows; empty for those of the scheme
    business_date TEXT NOT NULL, -- a sealed day
    parts         TEXT NOT NULL, -- JSON: for each table its rows and their SHA-256
    PRIMARY KEY (merchant_id, business_date)
) WITHOUT ROWID;

CREATE TRIGGER day_fingerprint_is_not_changed BEFORE UPDATE ON day_fingerprint
BEGIN
   SELECT RAISE(ABORT, 'fingerprints of sealed days are never changed or deleted');
END;
CREATE TRIGGER day_fingerprint_is_not_deleted BEFORE DELETE ON day_fingerprint
BEGIN
   SELECT RAISE(ABORT, 'fingerprints of sealed days are never changed or deleted');
END;

CREATE INDEX day_fingerprint_by_day ON day_fingerprint (business_date, merchant_id);

CREATE TABLE day_proof (
    business_date    TEXT NOT NULL PRIMARY KEY, -- a sealed day
    fingerprinted_on TEXT NOT NULL,             -- business date on which its rows were fingerprinted: its own, or later
    proved_on        TEXT NOT NULL              -- business date of the close that last proved it
);
CREATE INDEX day_proof_longest_ago ON day_proof (proved_on, business_date);

-- Orders are decided again in turn, those of each merchant in the order of their keys.
CREATE TABLE order_proof (
    merchant_id TEXT NOT NULL PRIMARY KEY, -- whose orders
    after_order TEXT NOT NULL,             -- the round has come to this order
    begun_on    TEXT NOT NULL,             -- business date on which the round began
    proved_on   TEXT                       -- business date on which the last whole round began
);

-- A day's rows are found by index. Conditions that always hold keep other queries from these indexes. Orders are found through
-- their first entry, or the row that says why they were declined: one more index of them would be dear when a million come in.
CREATE INDEX fact_others_by_day ON fact (merchant_id, booked_on) WHERE kind NOT IN ('payment', 'refund', 'chargeback');
CREATE INDEX credit_step_by_merchant_day ON credit_step (merchant_id, since);
CREATE INDEX file_by_merchant_day ON file (merchant_id, business_date);
CREATE INDEX input_row_resolved ON input_row (merchant_id, resolved_on) WHERE resolved_on IS NOT NULL;
CREATE INDEX exception_by_day ON exception (merchant_id, opened_on);
CREATE INDEX exception_resolved ON exception (merchant_id, resolved_on) WHERE resolved_on IS NOT NULL;
CREATE INDEX provider_line_by_day ON provider_line (merchant_id, business_date) WHERE amount_minor > 0;
CREATE INDEX awaited_line_by_day ON awaited_line (merchant_id, booked_on) WHERE amount_minor > 0;

-- As for the other tables, what grown ones look like.
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('awaited_line', 'awaited_line_by_day', '100000 50000 200'),
    ('credit_step', 'credit_step_by_merchant_day', '200000 100000 300'),
    ('day_fingerprint', 'day_fingerprint', '2000 1000 1'),
    ('day_fingerprint', 'day_fingerprint_by_day', '2000 5 1'),
    ('exception', 'exception_by_day', '3000 1500 8'),
    ('exception', 'exception_resolved', '2500 1250 8'),
    ('fact', 'fact_others_by_day', '180000 90000 250'),
    ('file', 'file_by_merchant_day', '20000 10000 50'),
    ('input_row', 'input_row_resolved', '2500 1250 8'),
    ('provider_line', 'provider_line_by_day', '200000 100000 500');
ANALYZE sqlite_schema;
