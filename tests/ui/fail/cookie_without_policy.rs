//! Browsers send cookies with requests that other sites start, so a cookie comes with a policy against those.

use tower_user_metadata::session::TokenSource;

fn main() {
    let _ = TokenSource::cookie("sAccessToken");
}
