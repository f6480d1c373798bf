//! What does a request with a session that was seen before cost? Through the layer, beside the same request through no
//! layer and beside a bare `jsonwebtoken::decode`, which is the least that a middleware on top of it can cost.
//!
//! `cargo bench --bench known_session`; numbers of different runs cannot be compared, those of one can.

mod support;

use http::Request;
use jsonwebtoken::Validation;
use support::{Contestant, Handler, USER, again, bearer, call, contest, cookie, report, rs256};

fn main() {
    let signer = rs256();
    let token = signer.token(USER);
    let mut validation = Validation::new(signer.algorithm);
    validation.leeway = 0;
    validation.validate_nbf = true;

    for (carrier, request) in [("bearer", bearer(&token)), ("cookie", cookie(&token))] {
        // Most servers and routers have put something there before.
        for (extensions, request) in [("", request.clone()), (", other extensions", with_extensions(&request))] {
            let copy = || {
                let mut copy = again(&request);
                *copy.extensions_mut() = request.extensions().clone();
                copy
            };
            let (mut nothing, mut known) = (Handler, signer.service(16 << 20));
            assert_eq!(call(&mut known, copy()), 200);
            let times = contest(&mut [
                Contestant::new("no layer", || call(&mut nothing, copy())),
                Contestant::new("known session", || call(&mut known, copy())),
                Contestant::new("jsonwebtoken", || {
                    jsonwebtoken::decode::<serde_json::Value>(&token, &signer.public, &validation).expect("good").claims
                }),
            ]);
            let [(_, nothing), (_, known), (_, bare)] = times[..] else { unreachable!("three contestants") };
            let mut numbers: Vec<_> = times.iter().map(|(name, time)| (*name, *time)).collect();
            numbers.extend([("cost of the layer", known - nothing), ("times less", bare / (known - nothing))]);
            report("known session", &format!("{carrier}{extensions}"), &numbers);
        }
    }
}

fn with_extensions(request: &Request<()>) -> Request<()> {
    let mut request = request.clone();
    request.extensions_mut().insert("an extension");
    request
}
