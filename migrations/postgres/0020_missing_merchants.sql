-- Merchants whose books did not add up, and who are not in the seal of a day.
CREATE TABLE missing_merchant (
    merchant_id   TEXT COLLATE "C" NOT NULL, -- who is missing
    business_date DATE NOT NULL, -- the day that was sealed without them
    reason        TEXT COLLATE "C" NOT NULL, -- what does not hold, one thing a line
    PRIMARY KEY (merchant_id, business_date)
);
