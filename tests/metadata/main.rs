//! Documents and updates, checked on random ones against a model and against `serde_json`.

mod generate;
mod merge;
mod reader;
