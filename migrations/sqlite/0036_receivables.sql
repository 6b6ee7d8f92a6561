-- What customers owe each merchant, kept as positions change, so that a close need not add up all positions.
CREATE TABLE receivable (
    merchant_id       TEXT   NOT NULL, -- to whom, through the scheme
    currency          TEXT   NOT NULL, -- ISO 4217
    outstanding_minor BIGINT NOT NULL, -- principal of open instalments
    late_fee_minor    BIGINT NOT NULL, -- late fees of open instalments, less what was paid of them
    PRIMARY KEY (merchant_id, currency)
) WITHOUT ROWID;

INSERT INTO receivable (merchant_id, currency, outstanding_minor, late_fee_minor)
SELECT i.merchant_id, o.currency, SUM(i.outstanding_minor), SUM(i.late_fee_minor - i.late_fee_paid_minor)
FROM instalment i JOIN orders o ON o.merchant_id = i.merchant_id AND o.order_id = i.order_id
WHERE i.outstanding_minor > 0 OR i.late_fee_minor > i.late_fee_paid_minor
GROUP BY i.merchant_id, o.currency;
