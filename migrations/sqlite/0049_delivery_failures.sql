-- What mail servers and readers said about mails.
CREATE TABLE delivery_failure (
    message_id  TEXT NOT NULL, -- as in mail
    kind        TEXT NOT NULL, -- bounce, complaint, unsubscribe
    customer_id TEXT NOT NULL, -- to whom the mail was
    happened_at TEXT NOT NULL, -- as the file says
    booked_on   TEXT NOT NULL, -- business date
    content     INTEGER NOT NULL, -- fingerprint of the row's content
    file_no     INTEGER NOT NULL, -- where it came from
    line        INTEGER NOT NULL, -- and the line in it
    PRIMARY KEY (message_id, kind)
);

-- Customers who want no more mails than the notice before a negative report.
CREATE TABLE mail_opt_out (
    customer_id TEXT NOT NULL PRIMARY KEY, -- as in customer
    since       TEXT NOT NULL  -- business date
);
