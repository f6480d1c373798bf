//! A verifier without keys could only take everything or nothing.

use tower_user_metadata::session::JwtVerifier;

fn main() {
    let _ = JwtVerifier::builder().build();
}
