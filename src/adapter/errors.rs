/// Calls a framework's macro with each error that a handler may return, so that it makes an answer of it. Each error converts
/// into a [`Problem`], by value and by reference.
///
/// [`Problem`]: crate::endpoints::Problem
macro_rules! for_each_error {
    ($answer:ident) => {
        $answer! {
            crate::endpoints::Problem
        }
        $answer! {
            /// As the ready-made endpoints answer it: 503 when the store is out of reach, 400 or 413 for an update that it
            /// refused, 412 for a precondition. The cause goes to the log and not to the client.
            crate::store::StoreError
        }
        $answer! {
            /// 400, or 413 when the document would be too large.
            crate::metadata::InvalidMetadata
        }
        $answer! {
            /// As [`JsonRejection`](crate::layer::JsonRejection) renders it, with the error in the response's extensions if the
            /// framework has such.
            crate::session::AuthError
        }
    };
}

/// The [`Problem`] that an error of a framework is, if it is one of this crate; `$find` is what asks the error for a type.
///
/// [`Problem`]: crate::endpoints::Problem
#[cfg(any(feature = "actix", feature = "poem"))]
macro_rules! problem_of {
    ($error:ident, $find:ident) => {{
        let problem = $error.$find::<crate::endpoints::Problem>().cloned();
        let problem = problem.or_else(|| $error.$find::<crate::session::AuthError>().map(Into::into));
        let problem = problem.or_else(|| $error.$find::<crate::store::StoreError>().map(Into::into));
        problem.or_else(|| $error.$find::<crate::metadata::InvalidMetadata>().map(Into::into))
    }};
}

pub(super) use for_each_error;
#[cfg(any(feature = "actix", feature = "poem"))]
pub(super) use problem_of;
