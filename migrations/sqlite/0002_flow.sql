-- What flows through: files, mails, exceptions, runs, and the days that are closed.

CREATE TABLE file (
    file_no       BIGINT NOT NULL PRIMARY KEY, -- 1, 2, … in the order in which files were taken
    feed          TEXT   NOT NULL,             -- the feed that found it
    kind          TEXT   NOT NULL,             -- what its rows are
    provider      TEXT   NOT NULL,             -- who reports the money in it; the feed's name if none is configured
    merchant_id   TEXT   NOT NULL,             -- the feed's merchant; empty for a feed of the whole scheme
    name          TEXT   NOT NULL,             -- as it came
    kept_as       TEXT   NOT NULL,             -- its name in archive/ or quarantine/ and of its acknowledgement
    sha256        TEXT   NOT NULL,             -- fingerprint of its bytes
    business_date TEXT   NOT NULL,             -- the day it was taken on
    status        TEXT   NOT NULL,             -- reading, taken, duplicate, quarantined
    filed         BOOLEAN NOT NULL,            -- acknowledged and moved out of the inbox
    code          TEXT,                        -- why it is a duplicate or in quarantine
    message       TEXT,                        -- the same in words
    last_line     BIGINT NOT NULL,             -- rows up to this line are committed
    ack_bytes     BIGINT NOT NULL,             -- length of the acknowledgement up to there
    rejects_bytes BIGINT NOT NULL,             -- length of the rejects file up to there
    read_rows     BIGINT NOT NULL,             -- rows seen, the header not counted
    accepted      BIGINT NOT NULL,             -- rows by outcome
    declined      BIGINT NOT NULL,
    duplicate     BIGINT NOT NULL,
    conflict      BIGINT NOT NULL,
    pending       BIGINT NOT NULL,
    rejected      BIGINT NOT NULL
);
CREATE UNIQUE INDEX file_fingerprint ON file (merchant_id, kind, sha256) WHERE status IN ('reading', 'taken');
CREATE INDEX file_by_day ON file (business_date);
CREATE INDEX file_unfiled ON file (file_no) WHERE NOT filed;

-- Every row that was not simply accepted or a duplicate.
CREATE TABLE input_row (
    file_no      BIGINT NOT NULL, -- the file
    line         BIGINT NOT NULL, -- and the line in it
    merchant_id  TEXT   NOT NULL, -- the feed's merchant
    kind         TEXT   NOT NULL, -- what the row is
    row_key      TEXT   NOT NULL, -- its own key
    order_id     TEXT   NOT NULL, -- the order it names
    outcome      TEXT   NOT NULL, -- declined, conflict, pending, rejected; accepted or another once a pending row is resolved
    code         TEXT   NOT NULL, -- why
    message      TEXT   NOT NULL, -- why, in words
    content      TEXT   NOT NULL, -- the row as it came, as JSON; empty unless it is tried again
    fingerprint  BIGINT NOT NULL, -- of the row's content
    amount_minor BIGINT,          -- money it carries
    currency     TEXT,            -- and its currency
    opened_on    TEXT   NOT NULL, -- business date
    resolved_on  TEXT,            -- business date on which a pending row was resolved
    PRIMARY KEY (file_no, line)
);
CREATE INDEX input_row_pending ON input_row (merchant_id, order_id) WHERE outcome = 'pending';
CREATE INDEX input_row_by_order ON input_row (merchant_id, order_id) WHERE order_id <> '';
CREATE INDEX input_row_by_key ON input_row (merchant_id, kind, row_key) WHERE outcome = 'pending';
CREATE INDEX input_row_by_day ON input_row (merchant_id, opened_on);
CREATE INDEX input_row_waited ON input_row (merchant_id, opened_on) WHERE content <> '';

CREATE TABLE exception (
    merchant_id  TEXT   NOT NULL, -- empty for the scheme
    exception_no BIGINT NOT NULL, -- 1, 2, … for each merchant
    code         TEXT   NOT NULL, -- what kind
    row_key      TEXT   NOT NULL, -- key of the row it is about; empty for a whole file
    order_id     TEXT   NOT NULL, -- the order it names; may be empty
    file_no      BIGINT NOT NULL, -- where it came from; 0 for a rule
    line         BIGINT NOT NULL, -- and the line in it
    amount_minor BIGINT,          -- money in question
    currency     TEXT,            -- and its currency
    opened_on    TEXT   NOT NULL, -- business date
    resolved_on  TEXT,            -- business date
    message      TEXT   NOT NULL, -- in words, without personal data
    PRIMARY KEY (merchant_id, exception_no)
) WITHOUT ROWID;
CREATE INDEX exception_open ON exception (merchant_id, row_key) WHERE resolved_on IS NULL;

CREATE TABLE mail (
    mail_no       BIGINT NOT NULL PRIMARY KEY, -- 1, 2, …
    customer_id   TEXT   NOT NULL,             -- to whom
    business_date TEXT   NOT NULL,             -- one a customer a day
    template      TEXT   NOT NULL,             -- the gravest of what it is about
    locale        TEXT   NOT NULL,             -- the customer's, when it was written
    message_id    TEXT   NOT NULL,             -- one for ever, so that a repeat can be recognised
    send_at       TEXT        NOT NULL,        -- within contact hours
    status        TEXT   NOT NULL,             -- queued, sending, sent, failed, unknown
    attempts      BIGINT NOT NULL,             -- times it was handed to the transport
    error         TEXT                         -- the last answer, without addresses
);
CREATE UNIQUE INDEX mail_one_a_day ON mail (customer_id, business_date);
CREATE INDEX mail_unsent ON mail (mail_no) WHERE status IN ('queued', 'sending');

-- Each (instalment, step) at most once, for ever.
CREATE TABLE reminder (
    merchant_id       TEXT   NOT NULL, -- as in instalment
    order_id          TEXT   NOT NULL, -- as in instalment
    instalment        BIGINT NOT NULL, -- as in instalment
    step              TEXT   NOT NULL, -- days around the due date, or the notice and the day it fell due
    business_date     TEXT   NOT NULL, -- the day it was right
    mail_no           BIGINT,          -- the mail it went into; null when suppressed
    suppressed        TEXT,            -- why it was not sent
    template          TEXT   NOT NULL, -- what it said
    due_on            TEXT   NOT NULL, -- and of which due date
    outstanding_minor BIGINT NOT NULL, -- principal owed when it was written
    late_fee_minor    BIGINT NOT NULL, -- late fee owed when it was written
    days_past_due     BIGINT NOT NULL, -- then
    PRIMARY KEY (merchant_id, order_id, instalment, step)
);
CREATE INDEX reminder_by_mail ON reminder (mail_no) WHERE mail_no IS NOT NULL;
CREATE INDEX reminder_by_day ON reminder (business_date);

CREATE TABLE run (
    job           TEXT NOT NULL,        -- name of the job
    scheduled_for TEXT        NOT NULL, -- the time it was due; unique, so that no run happens twice
    business_date TEXT NOT NULL,        -- the open day it worked for
    status        TEXT NOT NULL,        -- running, done, failed
    started_at    TEXT        NOT NULL, -- wall clock
    finished_at   TEXT       ,          -- wall clock
    outcome       TEXT,                 -- what it did, or why it failed
    PRIMARY KEY (job, scheduled_for)
);

CREATE TABLE account_balance (
    merchant_id   TEXT     NOT NULL, -- whose books
    business_date TEXT     NOT NULL, -- a sealed day
    currency      TEXT     NOT NULL, -- ISO 4217
    account       SMALLINT NOT NULL, -- account.code
    opening_minor BIGINT   NOT NULL, -- debit less credit before the day
    debits_minor  BIGINT   NOT NULL, -- of the day
    credits_minor BIGINT   NOT NULL, -- of the day
    closing_minor BIGINT   NOT NULL, -- opening + debits − credits
    PRIMARY KEY (merchant_id, business_date, currency, account)
) WITHOUT ROWID;

CREATE TABLE merchant_day (
    merchant_id   TEXT   NOT NULL, -- whose books
    business_date TEXT   NOT NULL, -- a sealed day
    last_entry_no BIGINT NOT NULL, -- the journal of the day ends here
    PRIMARY KEY (merchant_id, business_date)
) WITHOUT ROWID;

CREATE TABLE sealed_day (
    business_date TEXT    NOT NULL PRIMARY KEY, -- never changes again
    sequence      BIGINT  NOT NULL UNIQUE,      -- 1, 2, … without a gap
    previous_seal TEXT    NOT NULL,             -- of the day before; empty for the first
    seal          TEXT    NOT NULL,             -- SHA-256 over the day's files and the seal before
    buckets       TEXT    NOT NULL,             -- JSON: first days of the delinquency buckets then
    published     BOOLEAN NOT NULL              -- files and manifest lie in reconciliation/
);

CREATE TABLE sealed_file (
    business_date TEXT   NOT NULL, -- as in sealed_day
    name          TEXT   NOT NULL, -- relative to the manifest
    row_count     BIGINT NOT NULL, -- rows, the header not counted
    totals        TEXT   NOT NULL, -- JSON: column and currency to sum
    sha256        TEXT   NOT NULL, -- of its bytes
    PRIMARY KEY (business_date, name)
) WITHOUT ROWID;
