-- An exception gets the number that reports show with the seal that first lists it, in an order that follows from what it says.
-- So it makes no difference which jobs ran while the day was open. Those that are known keep the number they are known by.

ALTER TABLE exception ADD COLUMN report_no BIGINT; -- 1, 2, … for each merchant, as reports name it; null while none lists it
ALTER TABLE exception ADD COLUMN numbered_on DATE; -- business date whose seal gave it that number; null if it is older than that rule

UPDATE exception SET report_no = exception_no;

CREATE UNIQUE INDEX exception_reported ON exception (merchant_id, report_no) WHERE report_no IS NOT NULL;
CREATE INDEX exception_numbered ON exception (merchant_id, numbered_on) WHERE numbered_on IS NOT NULL;
