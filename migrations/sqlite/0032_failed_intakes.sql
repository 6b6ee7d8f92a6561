-- The merchants whose files could not be taken in. They do not stop the others: the close leaves them out of the seal.

-- A row lasts until the next run that takes in everything that is there for the merchant.
CREATE TABLE failed_intake (
    merchant_id TEXT NOT NULL, -- whose files wait; empty for those of the scheme, customers and agreements
    since       TEXT NOT NULL, -- business date of the first run in a row that failed
    reason      TEXT NOT NULL, -- why the last run failed
    PRIMARY KEY (merchant_id)
) WITHOUT ROWID;
