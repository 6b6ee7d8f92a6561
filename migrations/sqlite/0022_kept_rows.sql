-- What is kept for ever can't be changed or deleted by ordinary means: a wrong row is met by another. Orders keep what they
-- were taken in with, rows of files what came and, once they wait no more, what became of them.

CREATE TRIGGER journal_is_not_changed BEFORE UPDATE ON journal
BEGIN
   SELECT RAISE(ABORT, 'entries of the journal are never changed or deleted; a wrong one is met by another');
END;

CREATE TRIGGER journal_is_not_deleted BEFORE DELETE ON journal
BEGIN
   SELECT RAISE(ABORT, 'entries of the journal are never changed or deleted; a wrong one is met by another');
END;

CREATE TRIGGER fact_is_not_changed BEFORE UPDATE ON fact
BEGIN
   SELECT RAISE(ABORT, 'facts are never changed or deleted; a wrong one is met by another');
END;

CREATE TRIGGER fact_is_not_deleted BEFORE DELETE ON fact
BEGIN
   SELECT RAISE(ABORT, 'facts are never changed or deleted; a wrong one is met by another');
END;

CREATE TRIGGER credit_step_is_not_changed BEFORE UPDATE ON credit_step
BEGIN
   SELECT RAISE(ABORT, 'steps of the credit record are never changed or deleted; a wrong one is met by another');
END;

CREATE TRIGGER credit_step_is_not_deleted BEFORE DELETE ON credit_step
BEGIN
   SELECT RAISE(ABORT, 'steps of the credit record are never changed or deleted; a wrong one is met by another');
END;

CREATE TRIGGER account_balance_is_not_changed BEFORE UPDATE ON account_balance
BEGIN
   SELECT RAISE(ABORT, 'sealed balances are never changed or deleted; a wrong one is met by another');
END;

CREATE TRIGGER account_balance_is_not_deleted BEFORE DELETE ON account_balance
BEGIN
   SELECT RAISE(ABORT, 'sealed balances are never changed or deleted; a wrong one is met by another');
END;

CREATE TRIGGER merchant_day_is_not_changed BEFORE UPDATE ON merchant_day
BEGIN
   SELECT RAISE(ABORT, 'sealed days of a merchant are never changed or deleted; a wrong one is met by another');
END;

CREATE TRIGGER merchant_day_is_not_deleted BEFORE DELETE ON merchant_day
BEGIN
   SELECT RAISE(ABORT, 'sealed days of a merchant are never changed or deleted; a wrong one is met by another');
END;

CREATE TRIGGER sealed_file_is_not_changed BEFORE UPDATE ON sealed_file
BEGIN
   SELECT RAISE(ABORT, 'sealed files are never changed or deleted; a wrong one is met by another');
END;

CREATE TRIGGER sealed_file_is_not_deleted BEFORE DELETE ON sealed_file
BEGIN
   SELECT RAISE(ABORT, 'sealed files are never changed or deleted; a wrong one is met by another');
END;

CREATE TRIGGER orders_is_not_changed BEFORE UPDATE OF
   merchant_id, order_id, customer_id, amount_minor, currency, ordered_at, ordered_on, item, declined, credit_score,
   agreement_id, term, policy_version, content, booked_on, file_no, line
   ON orders
BEGIN
   SELECT RAISE(ABORT, 'orders as they were taken in are never changed or deleted; a wrong one is met by another');
END;

CREATE TRIGGER orders_is_not_deleted BEFORE DELETE ON orders
BEGIN
   SELECT RAISE(ABORT, 'orders as they were taken in are never changed or deleted; a wrong one is met by another');
END;

CREATE TRIGGER sealed_day_is_not_changed BEFORE UPDATE OF business_date, sequence, previous_seal, seal, buckets ON sealed_day
BEGIN
   SELECT RAISE(ABORT, 'sealed days are never changed or deleted; a wrong one is met by another');
END;

CREATE TRIGGER sealed_day_is_not_deleted BEFORE DELETE ON sealed_day
BEGIN
   SELECT RAISE(ABORT, 'sealed days are never changed or deleted; a wrong one is met by another');
END;

CREATE TRIGGER input_row_is_not_changed BEFORE UPDATE ON input_row
  -- Of a row that no longer waits only the day on which its money left suspense is still to come.
  WHEN OLD.outcome <> 'pending' AND (NEW.outcome IS NOT OLD.outcome
    OR NEW.code IS NOT OLD.code
    OR NEW.message IS NOT OLD.message
    OR NEW.resolved_on IS NOT OLD.resolved_on
    OR NEW.told_on IS NOT OLD.told_on
    OR NEW.effective_on IS NOT OLD.effective_on
    OR NEW.suspended_on IS NOT OLD.suspended_on
    OR OLD.released_on IS NOT NULL)
  OR NEW.file_no IS NOT OLD.file_no
  OR NEW.line IS NOT OLD.line
  OR NEW.merchant_id IS NOT OLD.merchant_id
  OR NEW.kind IS NOT OLD.kind
  OR NEW.row_key IS NOT OLD.row_key
  OR NEW.order_id IS NOT OLD.order_id
  OR NEW.content IS NOT OLD.content
  OR NEW.fingerprint IS NOT OLD.fingerprint
  OR NEW.amount_minor IS NOT OLD.amount_minor
  OR NEW.currency IS NOT OLD.currency
  OR NEW.opened_on IS NOT OLD.opened_on
BEGIN
   SELECT RAISE(ABORT, 'rows of files are never changed or deleted; a wrong one is met by another');
END;

CREATE TRIGGER input_row_is_not_deleted BEFORE DELETE ON input_row
BEGIN
   SELECT RAISE(ABORT, 'rows of files are never changed or deleted; a wrong one is met by another');
END;

CREATE TRIGGER file_is_not_deleted BEFORE DELETE ON file
BEGIN
   SELECT RAISE(ABORT, 'files that came are never changed or deleted; a wrong one is met by another');
END;

CREATE TRIGGER exception_is_not_deleted BEFORE DELETE ON exception
BEGIN
   SELECT RAISE(ABORT, 'exceptions are never changed or deleted; a wrong one is met by another');
END;
