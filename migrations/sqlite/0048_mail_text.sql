-- The very words of each mail that was handed over.
CREATE TABLE mail_text (
    mail_no INTEGER NOT NULL PRIMARY KEY, -- as in mail
    subject TEXT NOT NULL, -- as it was handed over last
    body    TEXT NOT NULL  -- the text part; the HTML part has the same words
);
