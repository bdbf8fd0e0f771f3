-- The shop: orders to read, visits to write, and a role that may do just that.
\getenv password POSTGRES_PASSWORD
CREATE DATABASE shop;
CREATE ROLE rest LOGIN PASSWORD :'password';
\connect shop
CREATE TABLE orders (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    item text NOT NULL,
    quantity integer NOT NULL CHECK (quantity > 0)
);
CREATE TABLE visits (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    nonce text,
    client inet DEFAULT inet_client_addr(),
    server inet DEFAULT inet_server_addr(),
    at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO orders (item, quantity) VALUES ('teapot', 1);
INSERT INTO orders (item, quantity) VALUES ('cup', 6);
INSERT INTO orders (item, quantity) VALUES ('spoon', 12);
GRANT SELECT ON orders TO rest;
GRANT SELECT, INSERT ON visits TO rest;
