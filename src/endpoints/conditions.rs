//! `If-Match` and `If-None-Match` (RFC 9110 section 13.1).

use http::StatusCode;

use super::etag;
use crate::handle::UserMetadataHandle;
use crate::metadata::{Precondition, Version};
use crate::problem::Problem;
use crate::session::Headers;
use crate::store::StoreError;

/// What a request demands of the stored document.
#[derive(Debug)]
pub(super) struct Conditions {
    if_match: Option<EntityTags>,
    if_none_match: Option<EntityTags>,
}

#[derive(Debug, PartialEq)]
enum EntityTags {
    Any,
    /// The versions that are named; `None` is a tag that is not ours, which is a demand all the same: no document has it.
    List(Vec<Option<Version>>),
}

impl Conditions {
    pub(super) fn from_headers(headers: &dyn Headers) -> Result<Self, Problem> {
        Ok(Self { if_match: tags(headers, "if-match")?, if_none_match: tags(headers, "if-none-match")? })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.if_match.is_none() && self.if_none_match.is_none()
    }

    /// Checks `If-Match` for a request that only reads.
    pub(super) fn for_read(&self, current: Option<Version>) -> Result<(), Problem> {
        match &self.if_match {
            Some(tags) if !tags.match_version(current) => Err(StoreError::precondition_failed(current).into()),
            _ => Ok(()),
        }
    }

    /// Whether the client has what is stored already.
    pub(super) fn not_modified(&self, current: Option<Version>) -> bool {
        self.if_none_match.as_ref().is_some_and(|tags| tags.match_version(current))
    }

    /// The precondition of a write. Where one precondition of the store cannot say it, the current version is
    /// compared here and the write then demands exactly that version.
    pub(super) async fn for_write(&self, metadata: &UserMetadataHandle) -> Result<Precondition, Problem> {
        match (&self.if_match, &self.if_none_match) {
            (None, None) => return Ok(Precondition::None),
            (Some(EntityTags::Any), None) => return Ok(Precondition::Exists),
            (None, Some(EntityTags::Any)) => return Ok(Precondition::Absent),
            (Some(EntityTags::List(tags)), None) => {
                if let [Some(version)] = tags.as_slice() {
                    return Ok(Precondition::Version(*version));
                }
            }
            _ => {}
        }
        let current = metadata.record().await?.map(|record| record.version);
        self.for_read(current)?;
        if self.not_modified(current) {
            return Err(StoreError::precondition_failed(current).into());
        }
        Ok(current.map_or(Precondition::Absent, Precondition::Version))
    }
}

impl EntityTags {
    /// `If-Match` too compares weakly: RFC 9110 section 13.1.1 wants a strong comparison so that no two representations are
    /// mixed up, and here every representation of a version is the same document.
    fn match_version(&self, current: Option<Version>) -> bool {
        match self {
            Self::Any => current.is_some(),
            Self::List(versions) => current.is_some() && versions.contains(&current),
        }
    }
}

fn tags(headers: &dyn Headers, name: &str) -> Result<Option<EntityTags>, Problem> {
    let malformed = || Problem::new(StatusCode::BAD_REQUEST, format!("malformed {name}"));
    let mut values = Vec::new();
    headers.visit(name, &mut |value| values.push(value));
    let mut list = Vec::new();
    let mut any = false;
    for value in &values {
        let value = std::str::from_utf8(value).ok().filter(|value| value.is_ascii()).ok_or_else(malformed)?;
        // A tag may hold commas, but none of ours does, so a tag that is cut in two is just another foreign one.
        for member in value.split(',').map(str::trim) {
            match member {
                "" => {}
                "*" => any = true,
                member => list.push(etag::version(member)),
            }
        }
    }
    match (values.is_empty(), any, list.is_empty()) {
        (true, ..) => Ok(None),
        (false, true, true) => Ok(Some(EntityTags::Any)),
        (false, false, false) => Ok(Some(EntityTags::List(list))),
        _ => Err(malformed()),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use http::header::IF_MATCH;

    use super::*;

    fn parse(value: &str) -> Result<Option<EntityTags>, StatusCode> {
        let mut headers = HeaderMap::new();
        headers.insert(IF_MATCH, value.parse().expect("a header value"));
        tags(&headers, "if-match").map_err(|problem| problem.into_response().status())
    }

    #[test]
    fn tags_are_read_and_foreign_ones_match_nothing() {
        let ours = Some(Version::from_bits(255));
        assert_eq!(parse("*"), Ok(Some(EntityTags::Any)));
        let list = parse("W/\"00000000000000ff\", \"x\"").expect("well-formed").expect("present");
        assert!(list.match_version(ours) && !list.match_version(None));
        let foreign = parse("\"not ours, at all\"").expect("well-formed").expect("present");
        assert!(!foreign.match_version(ours) && !foreign.match_version(None));
        assert_eq!(parse(""), Err(StatusCode::BAD_REQUEST));
        assert_eq!(parse("*, \"x\""), Err(StatusCode::BAD_REQUEST));
        assert_eq!(parse("\"ä\""), Err(StatusCode::BAD_REQUEST));
    }
}
