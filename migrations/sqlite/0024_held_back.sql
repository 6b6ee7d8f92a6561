-- Days that were decided without knowing what customers had paid, because a file with that news was missing.

-- What was held back on a day: a day that is decided again must come out as it did. No row: everything had come.
CREATE TABLE held_back (
    merchant_id   TEXT NOT NULL, -- whose customers were left alone
    business_date TEXT NOT NULL, -- at the end of this day
    feed          TEXT NOT NULL, -- the feed whose file was missing
    dated_on      TEXT NOT NULL, -- the date in the name of that file
    since         TEXT NOT NULL, -- business date on which it should have come
    PRIMARY KEY (merchant_id, business_date, feed, dated_on)
) WITHOUT ROWID;

-- As for the other tables, what grown ones look like.
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES ('held_back', 'held_back', '200 100 2 1 1');
ANALYZE sqlite_schema;
