use std::time::Duration;

use super::stamped::{reason, seconds};
use super::value::number;
use super::{ClaimInput, ClaimRejection, ClaimValidator};
use crate::session::clock::unix_millis;

/// Demands that the session still lasts for some time, so that long work does not outlive it.
///
/// The client gets a new token and comes again: every session that reaches a validator is one that could be used now.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use tower_user_metadata::session::Session;
/// use tower_user_metadata::session::claims::{ClaimInput, ClaimValidator, Expiry};
/// use tower_user_metadata::UserId;
///
/// let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
/// let alice = Session::assertion(UserId::new("alice")?, now + Duration::from_secs(60)).build();
/// let input = ClaimInput::new(&alice, now);
/// assert!(Expiry::at_least(Duration::from_secs(60)).validate(&input).is_ok());
/// let refusal = Expiry::at_least(Duration::from_secs(300)).validate(&input).unwrap_err();
/// assert_eq!(
///     refusal.reason().map(|json| json.get()),
///     Some(r#"{"message":"expires too soon","remainingInSeconds":60,"minRemainingInSeconds":300}"#),
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Expiry {
    id: Box<str>,
    at_least: Duration,
}

impl Expiry {
    /// Demands that the session is not over before this much time has passed.
    pub fn at_least(remaining: Duration) -> Self {
        Self { id: "exp".into(), at_least: remaining }
    }

    /// Sets the id under which a refusal is reported. Default `exp`.
    pub fn with_id(self, id: impl Into<Box<str>>) -> Self {
        Self { id: id.into(), ..self }
    }
}

impl ClaimValidator for Expiry {
    fn id(&self) -> &str {
        &self.id
    }

    fn validate(&self, input: &ClaimInput<'_>) -> Result<(), ClaimRejection> {
        // Negative where the session has ended since it was verified.
        let millis = unix_millis(input.session.expires_at()).saturating_sub(unix_millis(input.now));
        if u64::try_from(millis).is_ok_and(|millis| Duration::from_millis(millis) >= self.at_least) {
            return Ok(());
        }
        let remaining = ("remainingInSeconds", number(millis as f64 / 1000.0).into());
        Err(reason("expires too soon", &[remaining, ("minRemainingInSeconds", number(seconds(self.at_least)).into())]))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{now, reason, unclaimed_until};
    use super::*;

    #[test]
    fn the_last_moment_counts() {
        let session = |millis| unclaimed_until(now() + Duration::from_millis(millis)).build();
        let validator = Expiry::at_least(Duration::from_millis(1_500));
        assert_eq!(reason(&validator, &session(1_500)), None);
        assert_eq!(
            reason(&validator, &session(1_499)).as_deref(),
            Some(r#"{"message":"expires too soon","remainingInSeconds":1.499,"minRemainingInSeconds":1.5}"#)
        );
        let over = unclaimed_until(now() - Duration::from_millis(1)).build();
        let any = Expiry::at_least(Duration::ZERO).with_id("over");
        assert_eq!(reason(&any, &session(0)), None);
        assert_eq!(
            reason(&any, &over).as_deref(),
            Some(r#"{"message":"expires too soon","remainingInSeconds":-0.001,"minRemainingInSeconds":0}"#)
        );
        assert_eq!((validator.id(), any.id()), ("exp", "over"));
        assert!(reason(&Expiry::at_least(Duration::MAX), &session(u64::MAX / 4)).is_some());
    }
}
