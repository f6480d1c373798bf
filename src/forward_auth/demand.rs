use http::HeaderMap;
use percent_encoding::percent_decode_str;

use crate::session::{AuthError, AuthErrorKind};

/// The segment after which the path of the client's request begins; what stands before it is the proxy's configuration.
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

/// Where a check tells the method of the request that the proxy holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Method {
    /// By its own method: it is the client's request with a prefix to its path (Envoy).
    Own,
    /// By a header (all others).
    Forwarded,
}

impl Check {
    /// `None` for a path that no check has.
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

/// The headers in which proxies tell the method of the request that they hold: `X-Forwarded-Method` (Traefik, Caddy,
/// APISIX, nginx that was told to), `X-Original-Method` (ingress-nginx).
const METHOD_HEADERS: [&str; 2] = ["x-forwarded-method", "x-original-method"];

/// The method of the request that the proxy holds. Without a header it is one that no exemption knows: a proxy that was not
/// told to send it must not make every request look like a `GET`.
///
/// # Errors
///
/// There are several methods. A proxy sets one of the headers and hands on the other as the client sent it, so a client
/// could otherwise choose the method that needs no session or no proof.
pub(super) fn forwarded_method(headers: &HeaderMap) -> Result<&str, AuthError> {
    let told =
        || AuthError::because(AuthErrorKind::MalformedCredentials, "the method of the request is told in several ways");
    let mut method = None;
    for name in METHOD_HEADERS {
        let mut values = headers.get_all(name).into_iter();
        let Some(value) = values.next() else { continue };
        if values.next().is_some() || method.is_some_and(|method| method != value) {
            return Err(told());
        }
        method = Some(value);
    }
    Ok(method.and_then(|method| method.to_str().ok()).unwrap_or_default())
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

    fn method(headers: &[(&'static str, &'static str)]) -> Option<String> {
        let headers = headers
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), http::HeaderValue::from_static(value)));
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name, value);
        }
        forwarded_method(&map).ok().map(str::to_owned)
    }

    #[test]
    fn a_method_that_is_not_told_is_not_a_safe_one() {
        assert_eq!(method(&[]).as_deref(), Some(""));
        assert_eq!(method(&[("x-forwarded-method", "GET")]).as_deref(), Some("GET"));
        assert_eq!(method(&[("x-original-method", "GET")]).as_deref(), Some("GET"));
        assert_eq!(method(&[("x-forwarded-method", "GET"), ("x-original-method", "GET")]).as_deref(), Some("GET"));
        for header in ["x-http-method-override", "x-method-override", "x-original-url", "x-forwarded-uri"] {
            assert_eq!(method(&[(header, "GET")]).as_deref(), Some(""), "{header}");
        }
    }

    #[test]
    fn a_method_that_is_told_in_several_ways_is_refused() {
        for (forwarded, original) in
            [("GET", "POST"), ("POST", "GET"), ("OPTIONS", "DELETE"), ("get", "GET"), ("", "GET"), ("GET", "")]
        {
            let both = [("x-forwarded-method", forwarded), ("x-original-method", original)];
            assert_eq!(method(&both), None, "{both:?}");
        }
        for name in METHOD_HEADERS {
            for second in ["GET", "POST"] {
                assert_eq!(method(&[(name, "GET"), (name, second)]), None, "{name}: {second}");
            }
        }
    }
}
