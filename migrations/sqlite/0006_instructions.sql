-- What banks are asked to do: collect an instalment by debit, pay a customer's credit out. A row of the open day is a
-- draft and may go again; once its day is sealed it stays for ever, and only its answer is written, once.
CREATE TABLE instruction (
    merchant_id    TEXT   NOT NULL, -- whose books
    instruction_id TEXT   NOT NULL, -- the debit_id or payout_id that the bank gets
    direction      TEXT   NOT NULL, -- debit or pay_out
    order_id       TEXT   NOT NULL, -- as in orders
    instalment     BIGINT NOT NULL, -- as in instalment; 0 of a pay-out
    attempt        BIGINT NOT NULL, -- 1, 2, … for each instalment, or for each order's pay-outs
    amount_minor   BIGINT NOT NULL CHECK (amount_minor > 0), -- asked for
    currency       TEXT   NOT NULL, -- ISO 4217
    due_on         TEXT,            -- the due date it was made for; none of a pay-out
    instructed_on  TEXT   NOT NULL, -- business date; it goes out with that day's files
    answer         TEXT,            -- paid, failed, refused
    note           TEXT,            -- why, as the bank says
    settled_on     TEXT,            -- the day the answer takes effect
    answered_on    TEXT,            -- business date on which it was booked
    content        BIGINT,          -- fingerprint of the answer's row
    file_no        BIGINT,          -- where the answer came from
    line           BIGINT,          -- and the line in it
    no_answer_on   TEXT,            -- business date on which finance was told that none came
    PRIMARY KEY (merchant_id, instruction_id)
) WITHOUT ROWID;
-- The same attempt never goes out twice.
CREATE UNIQUE INDEX instruction_attempt ON instruction (merchant_id, order_id, direction, instalment, attempt);
CREATE INDEX instruction_by_day ON instruction (merchant_id, direction, instructed_on, order_id, instalment);
CREATE INDEX instruction_open ON instruction (merchant_id, direction) WHERE answer IS NULL;

-- Orders at which the plan of debits or pay-outs has to be looked on a day.
CREATE TABLE instruction_plan (
    merchant_id TEXT NOT NULL, -- as in orders
    direction   TEXT NOT NULL, -- as in instruction
    order_id    TEXT NOT NULL, -- as in orders
    look_on     TEXT,          -- first day on which something may have to be done; null: until something happens
    since       TEXT,          -- business date since which there is credit; null of a debit
    PRIMARY KEY (merchant_id, direction, order_id)
) WITHOUT ROWID;
CREATE INDEX instruction_plan_by_day ON instruction_plan (merchant_id, direction, look_on, order_id)
    WHERE look_on IS NOT NULL;

-- As for the other tables, what grown ones look like.
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('instruction', 'instruction', '40000 20000 1'),
    ('instruction', 'instruction_attempt', '40000 20000 2 2 1 1'),
    ('instruction', 'instruction_by_day', '40000 20000 10000 100 1 1'),
    ('instruction', 'instruction_open', '400 200 100'),
    ('instruction_plan', 'instruction_plan', '40000 20000 10000 1'),
    ('instruction_plan', 'instruction_plan_by_day', '40000 20000 10000 200 1');
ANALYZE sqlite_schema;
