-- What a grown book looks like, told to SQLite's planner beforehand. Without it SQLite takes a merchant for as
-- selective as an order and reads all of a merchant's rows to find one order's. Running ANALYZE replaces it.
ANALYZE;
DELETE FROM sqlite_stat1;
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('agreement', 'agreement', '40000 40000 1'),
    ('agreement', 'agreement_by_customer', '40000 40000 1'),
    ('credit_step', 'credit_step', '200000 100000 2 2 1'),
    ('credit_step', 'credit_step_by_day', '200000 500'),
    ('exception', 'exception', '3000 1500 1'),
    ('exception', 'exception_open', '3000 1500 1'),
    ('fact', 'fact', '360000 180000 3 1 1'),
    ('fact', 'fact_key', '360000 180000 45000 1'),
    ('fact', 'fact_money_by_day', '180000 90000 250'),
    ('input_row', 'input_row_by_day', '13000 6500 30'),
    ('input_row', 'input_row_by_key', '3000 1500 1500 1'),
    ('input_row', 'input_row_by_order', '12000 6000 2'),
    ('input_row', 'input_row_pending', '3000 1500 1'),
    ('input_row', 'input_row_waited', '3000 1500 8'),
    ('input_row', 'sqlite_autoindex_input_row_1', '13000 10 1'),
    ('instalment', 'instalment', '160000 80000 1 1'),
    ('instalment', 'instalment_open', '24000 12000 1 1'),
    ('instalment', 'instalment_unpaid_by_due_date', '24000 12000 70'),
    ('instalment', 'instalment_notice_due', '100 50 1'),
    ('journal', 'journal', '2200000 1100000 1'),
    ('journal', 'journal_by_order', '600000 300000 4'),
    ('journal', 'journal_late_fees', '1600000 800000 60'),
    ('orders', 'orders', '185000 92500 1'),
    ('orders', 'orders_owed', '24000 12000 2 1 1'),
    ('orders', 'orders_to_decide', '24000 12000 2000'),
    ('reminder', 'reminder_by_day', '300000 800'),
    ('reminder', 'reminder_by_mail', '300000 1'),
    ('reminder', 'sqlite_autoindex_reminder_1', '300000 150000 4 4 1');
ANALYZE sqlite_schema;
