-- PostgreSQL gathers its own statistics; SQLite has to be told, and the steps of both have the same names.
SELECT 1;
