-- Runs are history: each attempt is a row, planned before it begins. Work is done in lanes, one at a time in each.

CREATE TABLE attempt (
    run_no        INTEGER PRIMARY KEY,  -- 1, 2, … in the order in which they were planned
    job           TEXT    NOT NULL,     -- name of the job
    scheduled_for TEXT    NOT NULL,     -- the time it was due; unique with the attempt, so that no run happens twice
    attempt       BIGINT  NOT NULL,     -- 1, 2, …
    business_date TEXT    NOT NULL,     -- the open day: when it was planned, then when it began
    status        TEXT    NOT NULL,     -- due, running, done, failed, interrupted, skipped
    not_before    TEXT    NOT NULL,     -- when it may begin: the due time with its jitter, or after a wait
    missed        BIGINT  NOT NULL,     -- earlier due times that it makes up for
    started_at    TEXT,                 -- wall clock; null while due, or if skipped
    finished_at   TEXT,                 -- wall clock
    outcome       TEXT,                 -- what it did, why it failed, or why it did nothing
    counts        TEXT,                 -- what it did, as numbers: JSON, name to count
    node          TEXT,                 -- machine and process that ran it
    asked_by      TEXT,                 -- who asked for it; null if it was due by its schedule
    UNIQUE (job, scheduled_for, attempt)
);
INSERT INTO attempt (job, scheduled_for, attempt, business_date, status, not_before, missed, started_at, finished_at, outcome)
SELECT job, scheduled_for, 1, business_date, status, scheduled_for, 0, started_at, finished_at, outcome
FROM run ORDER BY started_at, job;
DROP TABLE run;
ALTER TABLE attempt RENAME TO run;
CREATE INDEX run_by_job ON run (job, run_no);
CREATE INDEX run_by_end ON run (job, finished_at);
CREATE INDEX run_open ON run (status) WHERE status IN ('due', 'running');

CREATE TABLE paused_job (
    job       TEXT NOT NULL PRIMARY KEY, -- name of the job, which begins no run
    paused_at TEXT NOT NULL,             -- wall clock
    paused_by TEXT NOT NULL,             -- who asked for it
    reason    TEXT NOT NULL              -- and why
);

CREATE TABLE lane (
    lane  TEXT   NOT NULL PRIMARY KEY, -- books, mail
    token BIGINT NOT NULL,             -- of whoever works in it; one with an older token stops at the next transaction
    node  TEXT,                        -- machine and process that took it last
    doing TEXT,                        -- what for
    since TEXT                         -- wall clock
);
INSERT INTO lane (lane, token) SELECT 'books', token FROM writer;
INSERT INTO lane (lane, token) VALUES ('mail', 0);
DROP TABLE writer;

CREATE TABLE node (
    node       TEXT NOT NULL PRIMARY KEY, -- machine and process of a daemon
    version    TEXT NOT NULL,             -- of paylater
    started_at TEXT NOT NULL,             -- wall clock
    seen_at    TEXT NOT NULL,             -- its last sign of life, wall clock
    stopped_at TEXT                       -- when it stopped as asked; null while it runs, or if it was killed
);
