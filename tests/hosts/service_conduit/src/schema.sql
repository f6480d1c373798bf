CREATE TABLE IF NOT EXISTS user (
    user_id BLOB PRIMARY KEY,
    username TEXT NOT NULL UNIQUE,
    email TEXT NOT NULL UNIQUE,
    bio TEXT NOT NULL DEFAULT '',
    password_hash TEXT NOT NULL
);

CREATE TABLE IF NOT EXISTS article (
    slug TEXT PRIMARY KEY,
    user_id BLOB NOT NULL REFERENCES user (user_id),
    title TEXT NOT NULL
);
