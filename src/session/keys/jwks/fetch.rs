//! One fetch: the URLs in their order, until one has a key set.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AGE, CACHE_CONTROL, RETRY_AFTER};
use http::{HeaderMap, HeaderName, Response, StatusCode, Uri};
use tokio::time::{Instant, timeout};

use super::error::{JwksError, JwksErrorKind as Kind};
use super::transport::JwksTransport;
use super::url;
use crate::session::keys::algorithm::Algorithm;
use crate::session::keys::jwk_set::MAX_JWKS_BYTES;
use crate::session::keys::set::KeySet;

/// The longest pause that a key server can ask for: a mistake in one header must not lock it out for a day.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(300);

#[derive(Debug)]
pub(super) struct Fetcher {
    pub(super) urls: Vec<Uri>,
    pub(super) algorithms: Vec<Algorithm>,
    pub(super) transport: Arc<dyn JwksTransport>,
}

/// A key set as it was fetched.
#[derive(Clone)]
pub(super) struct Fetched {
    pub(super) keys: Arc<KeySet>,
    /// For how long the key server takes it to be fresh, if it says so.
    pub(super) max_age: Option<Duration>,
    body: Bytes,
}

impl Fetcher {
    /// Fetches a key set; `last` is the one fetched before.
    ///
    /// Each URL gets an equal share of what is left of the time, so that one that hangs leaves some for the next.
    pub(super) async fn fetch(&self, until: Instant, last: Option<&Fetched>) -> Result<Fetched, JwksError> {
        let mut result = Err(JwksError::new(Kind::Unreachable));
        let mut left = u32::try_from(self.urls.len()).unwrap_or(u32::MAX);
        for url in &self.urls {
            let share = until.saturating_duration_since(Instant::now()) / left.max(1);
            left = left.saturating_sub(1);
            let error = match timeout(share, self.transport.get(url, MAX_JWKS_BYTES)).await {
                Ok(Ok(response)) => match self.read(url, &response, last) {
                    Ok(fetched) => return Ok(fetched),
                    Err(error) => error,
                },
                Ok(Err(error)) => error,
                Err(_) => JwksError::new(Kind::DeadlineExceeded),
            };
            tracing::warn!(url = url::shown(url), error = error.chain(), "no keys from the key server");
            result = Err(later(error, result));
        }
        result
    }

    fn read(&self, url: &Uri, response: &Response<Bytes>, last: Option<&Fetched>) -> Result<Fetched, JwksError> {
        if response.status() != StatusCode::OK {
            let mut error = JwksError::new(Kind::Status(response.status()));
            error.retry_after = retry_after(response);
            return Err(error);
        }
        let body = response.body();
        if body.len() > MAX_JWKS_BYTES {
            return Err(JwksError::new(Kind::TooLarge));
        }
        let max_age = max_age(response.headers());
        // The same document is the same key set, so that whatever is remembered of its keys stays good, and its faults
        // are told once.
        if let Some(last) = last.filter(|last| last.body == body) {
            return Ok(Fetched { max_age, ..last.clone() });
        }
        let keys = KeySet::parse(body, &self.algorithms)
            .map_err(|invalid| JwksError::new(Kind::NotJwkSet).with_source(invalid))?;
        report(url, &keys);
        Ok(Fetched { keys: Arc::new(keys), max_age, body: Bytes::copy_from_slice(body) })
    }
}

/// Of several failures the last is told; the longest pause that was asked for is kept.
fn later(mut error: JwksError, before: Result<Fetched, JwksError>) -> JwksError {
    error.retry_after = error.retry_after.max(before.err().and_then(|before| before.retry_after));
    error
}

/// Tells the operator what is wrong with a key set that is used all the same; never a piece of a key.
fn report(url: &Uri, keys: &KeySet) {
    let url = url::shown(url);
    if !keys.skipped().is_empty() {
        let reasons: Vec<_> = keys.skipped().iter().map(|key| format!("{}: {}", key.index, key.reason)).collect();
        tracing::warn!(url, usable = keys.len(), skipped = reasons.len(), ?reasons, "keys were skipped");
    }
    keys.report_ambiguous(&url);
    if keys.private() > 0 {
        tracing::warn!(url, keys = keys.private(), "the key server tells private keys; they must be replaced");
    }
    if keys.is_empty() {
        tracing::warn!(url, "the key server has no usable key, so that every session is refused");
    }
}

/// The pause that an overloaded server asks for (RFC 9110 section 10.2.3); a date is not taken, because its distance
/// from now would depend on two wall clocks.
fn retry_after(response: &Response<Bytes>) -> Option<Duration> {
    let overloaded = [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE].contains(&response.status());
    let delay = text(response.headers(), &RETRY_AFTER).next().and_then(seconds).filter(|_| overloaded)?;
    Some(delay.min(MAX_RETRY_AFTER))
}

/// How long the response stays fresh (RFC 9111 section 4.2.1): its `max-age` less the time that it spent in caches.
fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let mut max_age = None;
    for directive in text(headers, &CACHE_CONTROL).flat_map(|value| value.split(',')) {
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        let name = name.trim();
        if ["no-store", "no-cache"].iter().any(|never| name.eq_ignore_ascii_case(never)) {
            return Some(Duration::ZERO);
        }
        if name.eq_ignore_ascii_case("max-age") {
            // RFC 9111 section 4.2.1: what cannot be read counts as stale.
            let value = seconds(value.trim().trim_matches('"')).unwrap_or_default();
            max_age = Some(max_age.map_or(value, |earlier: Duration| earlier.min(value)));
        }
    }
    let age = text(headers, &AGE).next().and_then(seconds).unwrap_or_default();
    max_age.map(|max_age| max_age.saturating_sub(age))
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    headers.get_all(name).iter().filter_map(|value| value.to_str().ok())
}

/// Seconds in digits only; more than fit count as the most that fit (RFC 9111 section 1.2.2).
fn seconds(text: &str) -> Option<Duration> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| Duration::from_secs(text.parse().unwrap_or(u64::from(u32::MAX))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        lines.iter().map(|(name, value)| (name.parse().expect("a name"), value.parse().expect("a value"))).collect()
    }

    #[test]
    fn freshness() {
        for (lines, expected) in [
            (&[][..], None),
            (&[("cache-control", "public")], None),
            (&[("cache-control", "max-age=60")], Some(60)),
            (&[("cache-control", "public, MAX-AGE=\"60\", must-revalidate")], Some(60)),
            (&[("cache-control", "max-age=60"), ("cache-control", "max-age=30")], Some(30)),
            (&[("cache-control", "max-age=60"), ("age", "50")], Some(10)),
            (&[("cache-control", "max-age=60"), ("age", "70")], Some(0)),
            (&[("cache-control", "max-age=60, no-store")], Some(0)),
            (&[("cache-control", "no-cache")], Some(0)),
            (&[("cache-control", "max-age=-1")], Some(0)),
            (&[("cache-control", "max-age=")], Some(0)),
            (&[("cache-control", "max-age=99999999999999999999999")], Some(u64::from(u32::MAX))),
        ] {
            assert_eq!(max_age(&headers(lines)), expected.map(Duration::from_secs), "{lines:?}");
        }
    }

    #[test]
    fn pauses_are_taken_within_bounds() {
        for (status, value, expected) in [
            (429, "5", Some(5)),
            (503, "5", Some(5)),
            (500, "5", None),
            (429, "86400", Some(300)),
            (429, "Fri, 31 Dec 1999 23:59:59 GMT", None),
            (429, "-5", None),
        ] {
            let mut response = Response::new(Bytes::new());
            *response.status_mut() = StatusCode::from_u16(status).expect("a status");
            *response.headers_mut() = headers(&[("retry-after", value)]);
            assert_eq!(retry_after(&response), expected.map(Duration::from_secs), "{status} {value}");
        }
    }
}
