use crate::session::Headers;

/// Whether a request is a CORS preflight, as browsers send it (Fetch standard, section 4.8): without credentials, to ask
/// whether a request of another origin would be welcome.
pub(crate) fn is_preflight(method: &str, headers: &dyn Headers) -> bool {
    let has = |name: &str| {
        let mut found = false;
        headers.visit(name, &mut |_| found = true);
        found
    };
    method == "OPTIONS" && has("origin") && has("access-control-request-method")
}
