-- The books. Days are ISO dates, instants RFC 3339 in UTC, money whole minor units of its currency.
-- Every large table's key begins with the merchant. Facts, journal, credit steps and seals are append-only.

CREATE TABLE scheme (
    id            BIGINT NOT NULL PRIMARY KEY CHECK (id = 1), -- there is one scheme
    started_on    TEXT   NOT NULL,                            -- the first business date
    time_zone     TEXT   NOT NULL,                           -- days are days of this zone, for good
    business_date TEXT   NOT NULL                             -- the open day; moved only by the close
);

CREATE TABLE policy_version (
    merchant_id    TEXT NOT NULL, -- whose terms
    effective_from TEXT NOT NULL, -- the version's name
    fingerprint    TEXT NOT NULL, -- SHA-256 of the terms when an order was first decided on them
    first_used_on  TEXT NOT NULL, -- business date
    PRIMARY KEY (merchant_id, effective_from)
) WITHOUT ROWID;

CREATE TABLE customer (
    customer_id        TEXT    NOT NULL PRIMARY KEY, -- the sender's key
    name               TEXT    NOT NULL,             -- personal: mail only
    email              TEXT    NOT NULL,             -- personal: mail only
    locale             TEXT    NOT NULL,             -- language of the mail, such as zh-CN
    time_zone          TEXT    NOT NULL,             -- IANA name; contact hours are in it
    credit_score       BIGINT  NOT NULL,             -- as last delivered
    real_name_verified BOOLEAN NOT NULL,             -- real name checked
    bank_card_bound    BOOLEAN NOT NULL,             -- a card to pay with is bound
    content            BIGINT  NOT NULL,             -- fingerprint of the row's content
    booked_on          TEXT    NOT NULL,             -- business date of this content
    file_no            BIGINT  NOT NULL,             -- where it came from
    line               BIGINT  NOT NULL,             -- and the line in it
    mail_failed_on     TEXT                          -- the address was refused for good on this business date
) WITHOUT ROWID;

CREATE TABLE agreement (
    merchant_id      TEXT        NOT NULL, -- where the service was opened
    agreement_id     TEXT        NOT NULL, -- the sender's key
    customer_id      TEXT        NOT NULL, -- by whom
    status           TEXT        NOT NULL, -- open or closed
    changed_at       TEXT        NOT NULL, -- when the status last changed
    score_authorised BOOLEAN     NOT NULL, -- the score may be queried
    content          BIGINT      NOT NULL, -- fingerprint of the row's content
    booked_on        TEXT        NOT NULL, -- business date of this content
    file_no          BIGINT      NOT NULL, -- where it came from
    line             BIGINT      NOT NULL, -- and the line in it
    PRIMARY KEY (merchant_id, agreement_id)
) WITHOUT ROWID;
CREATE INDEX agreement_by_customer ON agreement (merchant_id, customer_id);

-- What customers and agreements said before they changed.
CREATE TABLE replaced_record (
    kind        TEXT   NOT NULL, -- customer or agreement
    record_key  TEXT   NOT NULL, -- its key; an agreement's with its merchant
    file_no     BIGINT NOT NULL, -- the file that replaced it
    line        BIGINT NOT NULL, -- and the line in it
    replaced_on TEXT   NOT NULL, -- business date
    content     TEXT   NOT NULL, -- the former content, as JSON
    PRIMARY KEY (kind, record_key, file_no, line)
) WITHOUT ROWID;

CREATE TABLE orders (
    merchant_id    TEXT        NOT NULL, -- who sold
    order_id       TEXT        NOT NULL, -- the merchant's key
    customer_id    TEXT        NOT NULL, -- who owes
    amount_minor   BIGINT      NOT NULL, -- as ordered
    currency       TEXT        NOT NULL, -- ISO 4217
    ordered_at     TEXT        NOT NULL, -- instant of the purchase
    ordered_on     TEXT        NOT NULL, -- its day by the policy's cut-off
    item           TEXT,                 -- what was bought, for the mail
    declined       TEXT,                 -- why it was declined; null when accepted
    credit_score   BIGINT,               -- the score it was decided on
    agreement_id   TEXT,                 -- the agreement it was decided on
    term           BIGINT      NOT NULL, -- days to pay, from the score band
    policy_version TEXT        NOT NULL, -- the terms it keeps
    content        BIGINT      NOT NULL, -- fingerprint of the row's content
    booked_on      TEXT        NOT NULL, -- business date
    file_no        BIGINT      NOT NULL, -- where it came from
    line           BIGINT      NOT NULL, -- and the line in it
    owed_minor     BIGINT      NOT NULL, -- principal outstanding over all instalments
    oldest_due_on  TEXT,                 -- due date of the oldest instalment with principal left
    closed_on      TEXT,                 -- business date on which nothing was owed any more
    next_action_on TEXT,                 -- first day on which anything about it can change by itself
    PRIMARY KEY (merchant_id, order_id)
) WITHOUT ROWID;
CREATE INDEX orders_owed ON orders (merchant_id, customer_id, owed_minor, oldest_due_on) WHERE owed_minor > 0;
CREATE INDEX orders_to_decide ON orders (merchant_id, next_action_on) WHERE next_action_on IS NOT NULL;

CREATE TABLE instalment (
    merchant_id         TEXT   NOT NULL, -- as in orders
    order_id            TEXT   NOT NULL, -- as in orders
    instalment          BIGINT NOT NULL, -- 1, 2, …
    principal_minor     BIGINT NOT NULL, -- as ordered
    due_on              TEXT,            -- null until the clock has started
    paid_minor          BIGINT NOT NULL, -- principal paid
    refunded_minor      BIGINT NOT NULL, -- principal refunded
    outstanding_minor   BIGINT NOT NULL, -- principal left
    late_fee_charged_minor BIGINT NOT NULL, -- in total after caps, before waivers
    late_fee_minor      BIGINT NOT NULL, -- owed in total after caps and waivers
    late_fee_paid_minor BIGINT NOT NULL, -- of it paid
    days_past_due       BIGINT NOT NULL, -- at the end of decided_on
    credit_status       TEXT   NOT NULL, -- clear, on_time, notice_due, …
    credit_since        TEXT,            -- business date of that status
    flagged_on          TEXT,            -- business date of the flag, if ever
    hold                TEXT,            -- reason of the hold in force
    decided_on          TEXT   NOT NULL, -- the day this row was decided for
    next_action_on      TEXT,            -- first day on which it can change by itself
    PRIMARY KEY (merchant_id, order_id, instalment)
) WITHOUT ROWID;
CREATE INDEX instalment_open ON instalment (merchant_id, order_id, instalment)
    WHERE outstanding_minor > 0 OR late_fee_minor > late_fee_paid_minor;
CREATE INDEX instalment_unpaid_by_due_date ON instalment (merchant_id, due_on)
    WHERE outstanding_minor > 0 AND due_on IS NOT NULL;
CREATE INDEX instalment_notice_due ON instalment (merchant_id, order_id) WHERE credit_status = 'notice_due';

CREATE TABLE fact (
    merchant_id  TEXT        NOT NULL, -- whose order
    order_id     TEXT        NOT NULL, -- which order
    kind         TEXT        NOT NULL, -- fulfilment, payment, refund, extension, hold, waiver, notice
    fact_id      TEXT        NOT NULL, -- the sender's key; of a fulfilment, order and event
    effective_at TEXT        NOT NULL, -- when it happened
    effective_on TEXT        NOT NULL, -- its day by the policy's cut-off
    booked_on    TEXT        NOT NULL, -- business date
    amount_minor BIGINT,               -- payment, refund, waiver
    days         BIGINT,               -- extension
    ends_on      TEXT,                 -- hold: last day, if the file named one
    detail       TEXT,                 -- event, hold reason, or the notice's instalment
    note         TEXT,                 -- channel, reason or who approved, as the file says
    suspended    BOOLEAN     NOT NULL, -- money booked in suspense before its order was known
    content      BIGINT      NOT NULL, -- fingerprint of the row's content
    file_no      BIGINT      NOT NULL, -- where it came from
    line         BIGINT      NOT NULL, -- and the line in it
    PRIMARY KEY (merchant_id, order_id, kind, fact_id)
) WITHOUT ROWID;
CREATE UNIQUE INDEX fact_key ON fact (merchant_id, kind, fact_id);
CREATE INDEX fact_money_by_day ON fact (merchant_id, booked_on) WHERE kind IN ('payment', 'refund');

CREATE TABLE account (
    code SMALLINT NOT NULL PRIMARY KEY, -- what the journal keeps
    name TEXT     NOT NULL              -- as in the reports
);
INSERT INTO account (code, name) VALUES
    (1, 'assets:receivable:principal'), (2, 'assets:receivable:late-fee'), (3, 'assets:cash-clearing'),
    (4, 'liabilities:merchant-payable'), (5, 'liabilities:customer-credit'), (6, 'liabilities:suspense'),
    (7, 'income:service-fee'), (8, 'income:late-fee'), (9, 'income:recovery'), (10, 'expenses:bad-debt');

CREATE TABLE journal (
    merchant_id    TEXT     NOT NULL, -- whose books
    entry_no       BIGINT   NOT NULL, -- 1, 2, … without a gap for each merchant
    business_date  TEXT     NOT NULL, -- the day it was booked on
    effective_on   TEXT     NOT NULL, -- the day it counts for
    kind           TEXT     NOT NULL, -- why money moved
    order_id       TEXT     NOT NULL, -- for which order
    instalment     BIGINT   NOT NULL, -- 0 when it concerns the order as a whole
    currency       TEXT     NOT NULL, -- ISO 4217
    debit_account  SMALLINT NOT NULL, -- account.code
    credit_account SMALLINT NOT NULL, -- account.code
    amount_minor   BIGINT   NOT NULL CHECK (amount_minor > 0),
    cause          TEXT     NOT NULL, -- key of the payment, refund or cancellation; empty when a rule is the cause
    file_no        BIGINT   NOT NULL, -- where the cause came from; 0 for a rule
    line           BIGINT   NOT NULL, -- and the line in it
    policy_version TEXT,              -- the terms it was decided on
    reason         TEXT     NOT NULL, -- new, accrued, corrected
    PRIMARY KEY (merchant_id, entry_no)
) WITHOUT ROWID;
-- Late fees may be booked day by day for years, and deciding an order must not read them all: positions keep the sum.
CREATE INDEX journal_by_order ON journal (merchant_id, order_id) WHERE kind <> 'late_fee';
CREATE INDEX journal_late_fees ON journal (merchant_id, order_id) WHERE kind = 'late_fee';

CREATE TABLE credit_step (
    merchant_id   TEXT   NOT NULL, -- as in instalment
    order_id      TEXT   NOT NULL, -- as in instalment
    instalment    BIGINT NOT NULL, -- as in instalment
    step_no       BIGINT NOT NULL, -- 1, 2, …
    status        TEXT   NOT NULL, -- the status entered
    since         TEXT   NOT NULL, -- business date
    days_past_due BIGINT NOT NULL, -- at that day's end
    amount_minor  BIGINT NOT NULL, -- principal owed then
    reason        TEXT   NOT NULL, -- in words
    PRIMARY KEY (merchant_id, order_id, instalment, step_no)
) WITHOUT ROWID;
CREATE INDEX credit_step_by_day ON credit_step (since);
