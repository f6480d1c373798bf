use http::HeaderMap;
use percent_encoding::percent_decode_str;

/// Ends what the proxy's configuration says; behind it comes the path of the client's request.
const END: &str = "-";

/// What the path of a check asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Check {
    pub(super) demand: Demand,
    pub(super) method: Method,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Demand {
    Session,
    Optional,
    All { roles: Vec<String>, permissions: Vec<String> },
}

/// Where the method of the request stands that the proxy holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Method {
    /// In the check itself, which is the client's request with a prefix to its path (Envoy).
    Own,
    /// In a header (all others).
    Forwarded,
}

impl Check {
    /// `None` where the path is none of ours.
    pub(super) fn from_path(path: &str) -> Option<Self> {
        let mut segments = path.strip_prefix("/auth")?.split('/');
        if segments.next() != Some("") {
            return None;
        }
        let (mut roles, mut permissions) = (Vec::new(), Vec::new());
        let mut optional = false;
        let mut method = Method::Forwarded;
        while let Some(segment) = segments.next() {
            match segment {
                END => {
                    method = Method::Own;
                    break;
                }
                // A stranger has no roles, so both together would say two things.
                "optional" if !optional && roles.is_empty() && permissions.is_empty() => optional = true,
                "role" if !optional => roles.push(name(segments.next()?)?),
                "permission" if !optional => permissions.push(name(segments.next()?)?),
                _ => return None,
            }
        }
        let demand = match (optional, roles.is_empty() && permissions.is_empty()) {
            (true, _) => Demand::Optional,
            (false, true) => Demand::Session,
            (false, false) => Demand::All { roles, permissions },
        };
        Some(Self { demand, method })
    }
}

/// The method of the request that the proxy holds. Without the header, or with several, it is one that no exemption from
/// the anti-CSRF proof knows: a proxy that was not told to send it must not make every request look like a `GET`.
pub(super) fn forwarded_method(headers: &HeaderMap) -> &str {
    let mut values = headers.get_all("x-forwarded-method").into_iter();
    match (values.next().map(http::HeaderValue::to_str), values.next()) {
        (Some(Ok(method)), None) => method,
        _ => "",
    }
}

fn name(segment: &str) -> Option<String> {
    let name = percent_decode_str(segment).decode_utf8().ok()?;
    (!name.is_empty()).then(|| name.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(demand: Demand, method: Method) -> Option<Check> {
        Some(Check { demand, method })
    }

    fn all(roles: &[&str], permissions: &[&str]) -> Demand {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Demand::All { roles: owned(roles), permissions: owned(permissions) }
    }

    #[test]
    fn a_path_says_what_is_demanded() {
        assert_eq!(Check::from_path("/auth"), check(Demand::Session, Method::Forwarded));
        assert_eq!(Check::from_path("/auth/optional"), check(Demand::Optional, Method::Forwarded));
        assert_eq!(Check::from_path("/auth/role/admin"), check(all(&["admin"], &[]), Method::Forwarded));
        assert_eq!(
            Check::from_path("/auth/role/a%2Fb/permission/read/role/c"),
            check(all(&["a/b", "c"], &["read"]), Method::Forwarded)
        );
    }

    #[test]
    fn what_a_client_chose_changes_nothing() {
        assert_eq!(Check::from_path("/auth/-/optional"), check(Demand::Session, Method::Own));
        assert_eq!(Check::from_path("/auth/role/admin/-/role/x"), check(all(&["admin"], &[]), Method::Own));
        assert_eq!(Check::from_path("/auth/-//../x"), check(Demand::Session, Method::Own));
    }

    #[test]
    fn any_other_path_is_a_mistake() {
        for path in [
            "/",
            "",
            "/authx",
            "/auth/",
            "/auth/x",
            "/auth//",
            "/auth/role",
            "/auth/role/",
            "/auth/role/%ff",
            "/Auth",
            "/auth/optional/role/a",
            "/auth/role/a/optional",
            "/auth/optional/optional",
            "/x/auth",
            "/auth/-x",
        ] {
            assert_eq!(Check::from_path(path), None, "{path}");
        }
    }

    #[test]
    fn a_method_that_is_not_told_is_not_a_safe_one() {
        let mut headers = HeaderMap::new();
        assert_eq!(forwarded_method(&headers), "");
        headers.append("x-forwarded-method", http::HeaderValue::from_static("GET"));
        assert_eq!(forwarded_method(&headers), "GET");
        headers.append("x-forwarded-method", http::HeaderValue::from_static("GET"));
        assert_eq!(forwarded_method(&headers), "");
    }
}
