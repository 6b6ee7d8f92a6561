-- What mail servers and readers said about mails.
CREATE TABLE delivery_failure (
    message_id  TEXT COLLATE "C" NOT NULL, -- as in mail
    kind        TEXT COLLATE "C" NOT NULL, -- bounce, complaint, unsubscribe
    customer_id TEXT COLLATE "C" NOT NULL, -- to whom the mail was
    happened_at TIMESTAMPTZ NOT NULL, -- as the file says
    booked_on   DATE NOT NULL, -- business date
    content     BIGINT NOT NULL, -- fingerprint of the row's content
    file_no     BIGINT NOT NULL, -- where it came from
    line        BIGINT NOT NULL, -- and the line in it
    PRIMARY KEY (message_id, kind)
);

-- Customers who want no more mails than the notice before a negative report.
CREATE TABLE mail_opt_out (
    customer_id TEXT COLLATE "C" NOT NULL PRIMARY KEY, -- as in customer
    since       DATE NOT NULL  -- business date
);
