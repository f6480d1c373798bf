//! What does a request with a session that was not seen before cost? Through the layer, beside the bare check of its
//! signature with a key that is parsed already: what nobody can go below.
//!
//! `cargo bench --bench new_session`; numbers of different runs cannot be compared, those of one can.

mod support;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use support::{Contestant, Handler, USER, again, bearer, call, contest, eddsa, es256, report, rs256};

/// So many sessions in turn, in a cache that holds two of them: each is new again when its turn comes.
const SESSIONS: usize = 600;
const CACHE_BYTES: usize = 4_096;

fn main() {
    for signer in [rs256(), es256(), eddsa()] {
        let key = signer.prepared.as_ref().expect("a public key");
        // Some signatures take longer than others, so everybody has the same ones.
        let tokens: Vec<_> = (0..SESSIONS).map(|n| signer.token(&format!("{USER}-{n}"))).collect();
        let requests: Vec<_> = tokens.iter().map(|token| bearer(token)).collect();
        let signatures: Vec<_> = tokens.iter().map(|token| taken_apart(token)).collect();
        let mut turns = [(); 3].map(|()| requests.iter().cycle());
        let [nothing_next, new_next, kept_next] = &mut turns;
        let mut next = signatures.iter().cycle();

        let (mut nothing, mut new, mut kept) = (Handler, signer.service(0), signer.service(CACHE_BYTES));
        assert_eq!((call(&mut new, again(&requests[0])), call(&mut kept, again(&requests[0]))), (200, 200));
        let times = contest(&mut [
            Contestant::new("no layer", || call(&mut nothing, again(nothing_next.next().expect("a cycle")))),
            Contestant::new("new session", || call(&mut new, again(new_next.next().expect("a cycle")))),
            Contestant::new("new session, kept", || call(&mut kept, again(kept_next.next().expect("a cycle")))),
            Contestant::new("bare check", || {
                let (signed, signature) = next.next().expect("a cycle");
                key.verify_sig(signed.as_bytes(), signature)
            }),
        ]);
        let [(_, nothing), (_, new), (_, kept), (_, bare)] = times[..] else { unreachable!("four contestants") };
        let mut numbers: Vec<_> = times.iter().map(|(name, time)| (*name, *time)).collect();
        numbers.extend([
            ("of the bare check", (new - nothing) / bare),
            ("kept, of the bare check", (kept - nothing) / bare),
        ]);
        report("new session", signer.name, &numbers);
    }
}

/// What is signed, and the signature.
fn taken_apart(token: &str) -> (&str, Vec<u8>) {
    let (signed, signature) = token.rsplit_once('.').expect("three parts");
    (signed, URL_SAFE_NO_PAD.decode(signature).expect("base64url"))
}
