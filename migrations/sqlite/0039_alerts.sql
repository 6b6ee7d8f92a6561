-- What operations were alerted to, and what each receiver was sent. Nothing in these tables is part of the books.

-- A trouble that operations hear of. It ends when its cause is gone; if the cause comes back, that is another alert.
CREATE TABLE alert (
    alert_no INTEGER PRIMARY KEY, -- counts alerts
    code     TEXT NOT NULL,       -- as in status --check, such as JOB_FAILED
    about    TEXT NOT NULL,       -- what it is about: a job, a file, a merchant, a receiver; may be empty
    message  TEXT NOT NULL,       -- in words, as it was when it began
    began_at TEXT NOT NULL,       -- when it was first seen
    over_at  TEXT                 -- when it was no longer there
);

CREATE UNIQUE INDEX alert_open ON alert (code, about) WHERE over_at IS NULL;

-- What a receiver is sent about an alert.
CREATE TABLE alert_note (
    note_no       INTEGER PRIMARY KEY,                          -- counts notes
    alert_no      INTEGER NOT NULL REFERENCES alert (alert_no), -- the alert
    receiver      TEXT NOT NULL,                                -- mail 1, mail 2, … or webhook
    is_over       BOOLEAN NOT NULL,                             -- whether it says that the alert is over
    claimed_by    TEXT,                                         -- the process that sends it
    claimed_until TEXT,                                         -- from when on another process may send it
    sent_at       TEXT                                          -- when the receiver took it
);

CREATE INDEX alert_note_unsent ON alert_note (receiver, note_no) WHERE sent_at IS NULL;

-- Receivers of alerts and pings that could not be reached at the last attempt.
CREATE TABLE silent_receiver (
    receiver TEXT NOT NULL, -- mail 1, webhook, or ping of a job or the daemon
    since    TEXT NOT NULL, -- the first attempt in a row that failed
    reason   TEXT NOT NULL, -- why the last attempt failed; has neither address nor URL
    PRIMARY KEY (receiver)
) WITHOUT ROWID;
