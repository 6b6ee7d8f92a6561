-- What an agreement said before, so that an order is decided on what it said when the order was placed.
ALTER TABLE agreement ADD COLUMN earlier TEXT COLLATE "C" NOT NULL DEFAULT ''; -- JSON: [since, open, score_authorised] of each earlier state, oldest first; empty for none
