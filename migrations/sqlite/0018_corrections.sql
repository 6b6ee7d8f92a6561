-- Corrections: a wrong fact is voided or replaced by a row of its own; both stay.
CREATE TABLE correction (
    merchant_id   TEXT NOT NULL, -- whose books
    correction_id TEXT NOT NULL, -- the sender's key
    order_id      TEXT NOT NULL, -- of the fact, as in fact
    kind          TEXT NOT NULL, -- of the fact, as in fact
    fact_id       TEXT NOT NULL, -- the fact that it corrects, as in fact
    action        TEXT NOT NULL, -- void or replace
    corrected_at  TEXT NOT NULL, -- of several corrections of a fact, the latest counts
    booked_on     TEXT NOT NULL, -- business date from which on it is known
    reason        TEXT NOT NULL, -- why, in words
    approved_by   TEXT NOT NULL, -- who says so
    effective_at  TEXT, -- when it happened after all; null if void, as all that follows
    effective_on  TEXT, -- its day by the policy's cut-off
    amount_minor  BIGINT, -- as in fact
    days          BIGINT, -- as in fact
    ends_on       TEXT, -- as in fact
    detail        TEXT, -- as in fact
    content       BIGINT NOT NULL, -- fingerprint of the row's content
    file_no       BIGINT NOT NULL, -- where it came from
    line          BIGINT NOT NULL, -- and the line in it
    PRIMARY KEY (merchant_id, correction_id)
) WITHOUT ROWID;
CREATE INDEX correction_by_order ON correction (merchant_id, order_id);
CREATE INDEX correction_of_fact ON correction (merchant_id, kind, fact_id);
CREATE INDEX correction_by_day ON correction (merchant_id, booked_on);

ALTER TABLE provider_line ADD COLUMN failed_on TEXT; -- business date on which the provider said that it did not go through after all

-- As for the other tables, what grown ones look like.
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('correction', 'correction', '2000 1000 1'),
    ('correction', 'correction_by_order', '2000 1000 2'),
    ('correction', 'correction_of_fact', '2000 1000 300 1'),
    ('correction', 'correction_by_day', '2000 1000 5');
ANALYZE sqlite_schema;
