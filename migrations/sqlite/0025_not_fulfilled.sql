-- Orders of which nothing is heard are looked for by their key each time one of them is decided.

CREATE INDEX exception_not_fulfilled ON exception (merchant_id, row_key) WHERE code = 'NOT_FULFILLED';

-- As for the other tables, what grown ones look like.
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES ('exception', 'exception_not_fulfilled', '500 250 1');
ANALYZE sqlite_schema;
