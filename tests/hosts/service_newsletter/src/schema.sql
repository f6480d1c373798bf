CREATE TABLE IF NOT EXISTS users (
    user_id BLOB PRIMARY KEY,
    username TEXT NOT NULL UNIQUE,
    password_hash TEXT NOT NULL
);

CREATE TABLE IF NOT EXISTS subscriptions (
    email TEXT PRIMARY KEY,
    name TEXT NOT NULL
);
