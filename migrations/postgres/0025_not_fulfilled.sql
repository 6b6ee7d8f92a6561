-- Orders of which nothing is heard are looked for by their key each time one of them is decided.

CREATE INDEX exception_not_fulfilled ON exception (merchant_id, row_key) WHERE code = 'NOT_FULFILLED';
