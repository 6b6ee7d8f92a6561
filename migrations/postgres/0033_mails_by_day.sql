-- The mails of the last days are counted by their status whenever someone looks, however many there have been before.
CREATE INDEX mail_by_day ON mail (business_date);
