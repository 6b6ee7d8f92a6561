-- Each file that comes is looked for by its name, and by the name it would be kept under.

CREATE INDEX file_by_name ON file (feed, name);
CREATE INDEX file_kept_as ON file (feed, kept_as);
