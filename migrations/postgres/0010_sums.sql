-- Sums of what customers owe change day after day: with room beside each, PostgreSQL writes the new one there and leaves
-- the index alone. Keys compare byte by byte as everywhere else, so that they are found by index from other tables.

ALTER TABLE exposure SET (fillfactor = 50);
ALTER TABLE exposure ALTER COLUMN merchant_id TYPE TEXT COLLATE "C", ALTER COLUMN customer_id TYPE TEXT COLLATE "C";
ALTER TABLE instalment ALTER COLUMN stopped TYPE TEXT COLLATE "C";
ALTER TABLE exception ALTER COLUMN resolution TYPE TEXT COLLATE "C";
