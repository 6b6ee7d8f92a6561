-- The provider's side: what bills say, and what of our own they have yet to say.

-- What bills have said about each payment and refund. The same said again counts once; of several things said about
-- one, the last that was new is the provider's word.
CREATE TABLE provider_line (
    merchant_id    TEXT COLLATE "C"   NOT NULL, -- whose payments
    event          TEXT COLLATE "C"   NOT NULL, -- payment or refund, as fact.kind
    event_key      TEXT COLLATE "C"   NOT NULL, -- its key, as fact.fact_id
    order_id       TEXT COLLATE "C"   NOT NULL, -- the order it names
    amount_minor   BIGINT NOT NULL CHECK (amount_minor > 0), -- as the bill says
    currency       TEXT COLLATE "C"   NOT NULL, -- ISO 4217
    fee_minor      BIGINT,          -- what the provider keeps of it; negative is given back, null not said
    transaction_id TEXT COLLATE "C"   NOT NULL, -- the provider's own number; of a refund, that of its payment
    provider       TEXT COLLATE "C"   NOT NULL, -- who says it
    occurred_on    DATE   NOT NULL, -- day of the scheme's zone
    business_date  DATE   NOT NULL, -- the day the bill came
    opened_on      DATE   NOT NULL, -- since then one side has lacked the other; business_date if none did
    settled_on     DATE,            -- business date from which on it is what the books have
    file_no        BIGINT NOT NULL, -- where it came from
    line           BIGINT NOT NULL, -- and the line in it
    PRIMARY KEY (merchant_id, event, event_key, order_id, amount_minor, currency)
);
CREATE INDEX provider_line_by_order ON provider_line (merchant_id, order_id);
CREATE INDEX provider_line_unsettled ON provider_line (merchant_id, event, event_key) WHERE settled_on IS NULL;
CREATE INDEX provider_line_settled ON provider_line (merchant_id, settled_on) WHERE settled_on IS NOT NULL;
CREATE INDEX provider_line_stayed_open ON provider_line (merchant_id, business_date)
    WHERE settled_on IS NULL OR settled_on > business_date;

-- Our payments and refunds that a bill should have and did not have on the day they were booked.
CREATE TABLE awaited_line (
    merchant_id  TEXT COLLATE "C"   NOT NULL, -- whose payments
    event        TEXT COLLATE "C"   NOT NULL, -- payment or refund, as fact.kind
    event_key    TEXT COLLATE "C"   NOT NULL, -- its key, as fact.fact_id
    order_id     TEXT COLLATE "C"   NOT NULL, -- as in fact
    amount_minor BIGINT NOT NULL, -- as booked
    currency     TEXT COLLATE "C"   NOT NULL, -- ISO 4217
    provider     TEXT COLLATE "C"   NOT NULL, -- whose bill should have it
    booked_on    DATE   NOT NULL, -- business date
    late_on      DATE   NOT NULL, -- first day on which the bill is late with it
    told_on      DATE,            -- business date on which finance was told that it is late
    closed_on    DATE,            -- business date on which a bill had it, or from which on no bill answers for it
    PRIMARY KEY (merchant_id, event, event_key)
);
CREATE INDEX awaited_line_by_order ON awaited_line (merchant_id, order_id);
CREATE INDEX awaited_line_open ON awaited_line (merchant_id, event, event_key) WHERE closed_on IS NULL;
CREATE INDEX awaited_line_stayed_open ON awaited_line (merchant_id, booked_on)
    WHERE closed_on IS NULL OR closed_on > booked_on;
