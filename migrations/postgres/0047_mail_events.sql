-- What happened to orders that their customers are told, decided with the end of a day. Each is told once, for ever: reminder says
-- in which mail, or why in none.
CREATE TABLE mail_event (
    merchant_id   TEXT COLLATE "C" NOT NULL, -- as in orders
    order_id      TEXT COLLATE "C" NOT NULL, -- as in orders
    instalment    BIGINT NOT NULL, -- as in instalment; 0 for the order as a whole
    step          TEXT COLLATE "C" NOT NULL, -- names the event, such as payment P-1; as in reminder
    template      TEXT COLLATE "C" NOT NULL, -- order_accepted, payment_received, …
    decided_on    DATE NOT NULL, -- business date at whose end it was decided
    happened_on   DATE NOT NULL, -- the day it happened
    amount_minor  BIGINT, -- of a payment, refund, fee or debit
    until         DATE, -- last day of a hold, or next attempt of a debit
    PRIMARY KEY (merchant_id, order_id, instalment, step)
);
CREATE INDEX mail_event_by_day ON mail_event (merchant_id, decided_on);
