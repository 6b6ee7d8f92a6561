-- Who may write. Whoever begins to work raises the token; who holds an older one finds out at its next transaction and stops.
CREATE TABLE writer (
    id    BIGINT NOT NULL PRIMARY KEY CHECK (id = 1), -- there is one
    token BIGINT NOT NULL                             -- of the paylater that works on the books
);
INSERT INTO writer (id, token) VALUES (1, 0);
