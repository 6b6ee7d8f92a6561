-- Nothing to do here: SQLite's index of orders to decide ends in their key, since that is how they are stored.
SELECT 1;
