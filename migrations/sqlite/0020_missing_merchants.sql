-- Merchants whose books did not add up, and who are not in the seal of a day.
CREATE TABLE missing_merchant (
    merchant_id   TEXT NOT NULL, -- who is missing
    business_date TEXT NOT NULL, -- the day that was sealed without them
    reason        TEXT NOT NULL, -- what does not hold, one thing a line
    PRIMARY KEY (merchant_id, business_date)
);
