-- What the open day needs: how orders stand as it opens, and mails that are looked at again before they leave.

ALTER TABLE orders RENAME COLUMN oldest_due_on TO past_due_from; -- the day its days past due count from, as if without a gap

-- A mail that is withdrawn before it leaves (paid, held, …) leaves the day to another.
DROP INDEX mail_one_a_day;
CREATE UNIQUE INDEX mail_one_a_day ON mail (customer_id, business_date) WHERE status <> 'withdrawn';
