-- The provider's side: what bills say, and what of our own they have yet to say.

-- What bills have said about each payment and refund. The same said again counts once; of several things said about
-- one, the last that was new is the provider's word.
CREATE TABLE provider_line (
    merchant_id    TEXT   NOT NULL, -- whose payments
    event          TEXT   NOT NULL, -- payment or refund, as fact.kind
    event_key      TEXT   NOT NULL, -- its key, as fact.fact_id
    order_id       TEXT   NOT NULL, -- the order it names
    amount_minor   BIGINT NOT NULL CHECK (amount_minor > 0), -- as the bill says
    currency       TEXT   NOT NULL, -- ISO 4217
    fee_minor      BIGINT,          -- what the provider keeps of it; negative is given back, null not said
    transaction_id TEXT   NOT NULL, -- the provider's own number; of a refund, that of its payment
    provider       TEXT   NOT NULL, -- who says it
    occurred_on    TEXT   NOT NULL, -- day of the scheme's zone
    business_date  TEXT   NOT NULL, -- the day the bill came
    opened_on      TEXT   NOT NULL, -- since then one side has lacked the other; business_date if none did
    settled_on     TEXT,            -- business date from which on it is what the books have
    file_no        BIGINT NOT NULL, -- where it came from
    line           BIGINT NOT NULL, -- and the line in it
    PRIMARY KEY (merchant_id, event, event_key, order_id, amount_minor, currency)
) WITHOUT ROWID;
CREATE INDEX provider_line_by_order ON provider_line (merchant_id, order_id);
CREATE INDEX provider_line_unsettled ON provider_line (merchant_id, event, event_key) WHERE settled_on IS NULL;
CREATE INDEX provider_line_settled ON provider_line (merchant_id, settled_on) WHERE settled_on IS NOT NULL;
CREATE INDEX provider_line_stayed_open ON provider_line (merchant_id, business_date)
    WHERE settled_on IS NULL OR settled_on > business_date;

-- Our payments and refunds that a bill should have and did not have on the day they were booked.
CREATE TABLE awaited_line (
    merchant_id  TEXT   NOT NULL, -- whose payments
    event        TEXT   NOT NULL, -- payment or refund, as fact.kind
    event_key    TEXT   NOT NULL, -- its key, as fact.fact_id
    order_id     TEXT   NOT NULL, -- as in fact
    amount_minor BIGINT NOT NULL, -- as booked
    currency     TEXT   NOT NULL, -- ISO 4217
    provider     TEXT   NOT NULL, -- whose bill should have it
    booked_on    TEXT   NOT NULL, -- business date
    late_on      TEXT   NOT NULL, -- first day on which the bill is late with it
    told_on      TEXT,            -- business date on which finance was told that it is late
    closed_on    TEXT,            -- business date on which a bill had it, or from which on no bill answers for it
    PRIMARY KEY (merchant_id, event, event_key)
) WITHOUT ROWID;
CREATE INDEX awaited_line_by_order ON awaited_line (merchant_id, order_id);
CREATE INDEX awaited_line_open ON awaited_line (merchant_id, event, event_key) WHERE closed_on IS NULL;
CREATE INDEX awaited_line_stayed_open ON awaited_line (merchant_id, booked_on)
    WHERE closed_on IS NULL OR closed_on > booked_on;

-- As for the other tables, what grown ones look like.
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('provider_line', 'provider_line', '200000 100000 50000 1 1 1 1'),
    ('provider_line', 'provider_line_by_order', '200000 100000 2'),
    ('provider_line', 'provider_line_unsettled', '2000 1000 500 1'),
    ('provider_line', 'provider_line_settled', '200000 100000 500'),
    ('provider_line', 'provider_line_stayed_open', '4000 2000 20'),
    ('awaited_line', 'awaited_line', '100000 50000 25000 1'),
    ('awaited_line', 'awaited_line_by_order', '100000 50000 1'),
    ('awaited_line', 'awaited_line_open', '1000 500 250 1'),
    ('awaited_line', 'awaited_line_stayed_open', '80000 40000 200');
ANALYZE sqlite_schema;
