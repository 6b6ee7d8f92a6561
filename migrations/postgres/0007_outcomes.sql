-- Files that were expected, files taken in again, rows that have waited too long, and why an exception was closed.
ALTER TABLE file ADD COLUMN dated_on DATE; -- the date in its name, if it has one
ALTER TABLE file ADD COLUMN number BIGINT; -- the number in its name, if its feed counts its files
ALTER TABLE file ADD COLUMN retry_of BIGINT; -- the quarantined file that was taken in again as this one
ALTER TABLE input_row ADD COLUMN told_on DATE; -- business date on which finance was told that it still waits
ALTER TABLE exception ADD COLUMN resolution TEXT; -- why it was closed, in words; null where a later row closed it

CREATE INDEX file_expected ON file (feed, dated_on, number);
CREATE INDEX file_refused ON file (feed, sha256) WHERE status = 'quarantined';
CREATE INDEX file_retried ON file (retry_of) WHERE retry_of IS NOT NULL;
CREATE INDEX exception_missing ON exception (merchant_id, row_key) WHERE code = 'FILE_MISSING';
CREATE INDEX input_row_untold ON input_row (merchant_id, opened_on) WHERE outcome = 'pending' AND told_on IS NULL;
