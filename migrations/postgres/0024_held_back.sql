-- Days that were decided without knowing what customers had paid, because a file with that news was missing.

-- What was held back on a day: a day that is decided again must come out as it did. No row: everything had come.
CREATE TABLE held_back (
    merchant_id   TEXT COLLATE "C" NOT NULL, -- whose customers were left alone
    business_date DATE NOT NULL,             -- at the end of this day
    feed          TEXT COLLATE "C" NOT NULL, -- the feed whose file was missing
    dated_on      DATE NOT NULL,             -- the date in the name of that file
    since         DATE NOT NULL,             -- business date on which it should have come
    PRIMARY KEY (merchant_id, business_date, feed, dated_on)
);
