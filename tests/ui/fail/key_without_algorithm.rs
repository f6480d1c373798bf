//! A key that is for any algorithm lets the token choose (CVE-2015-9235).

use tower_user_metadata::session::keys::VerificationKey;

fn main() {
    let _ = VerificationKey::from_pem("-----BEGIN PUBLIC KEY-----");
}
