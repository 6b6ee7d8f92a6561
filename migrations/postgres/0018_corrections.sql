-- Corrections: a wrong fact is voided or replaced by a row of its own; both stay.
CREATE TABLE correction (
    merchant_id   TEXT COLLATE "C" NOT NULL, -- whose books
    correction_id TEXT COLLATE "C" NOT NULL, -- the sender's key
    order_id      TEXT COLLATE "C" NOT NULL, -- of the fact, as in fact
    kind          TEXT COLLATE "C" NOT NULL, -- of the fact, as in fact
    fact_id       TEXT COLLATE "C" NOT NULL, -- the fact that it corrects, as in fact
    action        TEXT COLLATE "C" NOT NULL, -- void or replace
    corrected_at  TIMESTAMPTZ NOT NULL, -- of several corrections of a fact, the latest counts
    booked_on     DATE NOT NULL, -- business date from which on it is known
    reason        TEXT COLLATE "C" NOT NULL, -- why, in words
    approved_by   TEXT COLLATE "C" NOT NULL, -- who says so
    effective_at  TIMESTAMPTZ, -- when it happened after all; null if void, as all that follows
    effective_on  DATE, -- its day by the policy's cut-off
    amount_minor  BIGINT, -- as in fact
    days          BIGINT, -- as in fact
    ends_on       DATE, -- as in fact
    detail        TEXT COLLATE "C", -- as in fact
    content       BIGINT NOT NULL, -- fingerprint of the row's content
    file_no       BIGINT NOT NULL, -- where it came from
    line          BIGINT NOT NULL, -- and the line in it
    PRIMARY KEY (merchant_id, correction_id)
);
CREATE INDEX correction_by_order ON correction (merchant_id, order_id);
CREATE INDEX correction_of_fact ON correction (merchant_id, kind, fact_id);
CREATE INDEX correction_by_day ON correction (merchant_id, booked_on);

ALTER TABLE provider_line ADD COLUMN failed_on DATE; -- business date on which the provider said that it did not go through after all
