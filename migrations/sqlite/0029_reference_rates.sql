-- Reference rates that closed days used have a table of their own. They were kept among the policy versions, under a merchant
-- named reference_rates.NAME; no merchant's id has a dot.

CREATE TABLE reference_rate (
    name           TEXT NOT NULL, -- as the configuration names the table of rates
    effective_from TEXT NOT NULL, -- the first day on which the rate is in force
    fingerprint    TEXT NOT NULL, -- SHA-256 of the rate when a day was first closed on it
    first_used_on  TEXT NOT NULL, -- business date
    PRIMARY KEY (name, effective_from)
);

INSERT INTO reference_rate (name, effective_from, fingerprint, first_used_on)
SELECT substr(merchant_id, 17), effective_from, fingerprint, first_used_on
FROM policy_version WHERE substr(merchant_id, 1, 16) = 'reference_rates.';

DELETE FROM policy_version WHERE substr(merchant_id, 1, 16) = 'reference_rates.';
