-- Files that stay in their inboxes, so that they are not read at every look; and exceptions found by what they are about.

CREATE TABLE kept_file (
    merchant_id TEXT NOT NULL, -- the feed's merchant; empty for a feed of the whole scheme
    feed        TEXT NOT NULL, -- the feed that keeps it
    name        TEXT NOT NULL, -- as it lies in the inbox
    seen        TEXT NOT NULL, -- inode, size and times by which it is known again, once it was dealt with
    PRIMARY KEY (merchant_id, feed, name)
) WITHOUT ROWID;

CREATE INDEX exception_open_by_code ON exception (merchant_id, code, row_key) WHERE resolved_on IS NULL;
CREATE INDEX exception_open_of_file ON exception (merchant_id, file_no) WHERE resolved_on IS NULL AND row_key = '';

-- As for the other tables, what grown ones look like.
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('exception', 'exception_open_by_code', '3000 1500 300 1'),
    ('exception', 'exception_open_of_file', '500 250 1'),
    ('kept_file', 'kept_file', '20000 10000 1000 1');
ANALYZE sqlite_schema;
