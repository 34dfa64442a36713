-- Run once, by the database's superuser, when its volume is new: two roles beside the superuser,
-- whose passwords come from files. psql reads them; no command line holds them.
\set writer_password `cat /run/secrets/writer_password`
\set reader_password `cat /run/secrets/reader_password`

-- Owns the database and nothing else: `db migrate` and the sink.
CREATE ROLE writer LOGIN PASSWORD :'writer_password';
SELECT format('ALTER DATABASE %I OWNER TO writer', current_database()) \gexec

-- Reads: the live page and Grafana, whose users may type any query.
CREATE ROLE reader LOGIN PASSWORD :'reader_password';
GRANT pg_read_all_data TO reader;
ALTER ROLE reader SET default_transaction_read_only = on;
ALTER ROLE reader SET statement_timeout = '30s';
