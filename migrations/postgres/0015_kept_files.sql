-- Files that stay in their inboxes, so that they are not read at every look; and exceptions found by what they are about.

CREATE TABLE kept_file (
    merchant_id TEXT COLLATE "C" NOT NULL, -- the feed's merchant; empty for a feed of the whole scheme
    feed        TEXT COLLATE "C" NOT NULL, -- the feed that keeps it
    name        TEXT COLLATE "C" NOT NULL, -- as it lies in the inbox
    seen        TEXT COLLATE "C" NOT NULL, -- inode, size and times by which it is known again, once it was dealt with
    PRIMARY KEY (merchant_id, feed, name)
);

CREATE INDEX exception_open_by_code ON exception (merchant_id, code, row_key) WHERE resolved_on IS NULL;
CREATE INDEX exception_open_of_file ON exception (merchant_id, file_no) WHERE resolved_on IS NULL AND row_key = '';
