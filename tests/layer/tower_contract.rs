use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use http::{Request, Response, StatusCode};
use tower::limit::ConcurrencyLimit;
use tower::{Layer, Service, service_fn};
use tower_test::mock;
use tower_user_metadata::layer::{JsonRejection, UserMetadata};

use crate::verifier::{Body, Polls, Scripted, answer, both_ways, layer, poll, run, with_token};

type Mocked = UserMetadata<mock::Mock<Request<()>, Response<Body>>, JsonRejection>;
type Handle = mock::Handle<Request<()>, Response<Body>>;

fn mocked(verifier: &Scripted) -> (mock::Spawn<Mocked>, Handle) {
    mock::spawn_layer(layer(verifier))
}

/// The control: this mock panics when it is called without having said that it is ready.
#[test]
#[should_panic(expected = "poll_ready must be called first")]
fn a_mock_that_is_not_ready_panics() {
    let (mut service, _handle) = mocked(&Scripted::at_once());
    drop(service.call(with_token("good")));
}

#[test]
fn the_service_that_was_ready_is_the_one_that_is_called() {
    for verifier in both_ways() {
        let (mut service, mut handle) = mocked(&verifier);
        handle.allow(2);
        assert!(service.poll_ready::<Request<()>>().is_ready());
        let mut response = Box::pin(service.call(with_token("good")));
        // Another request comes before this one is verified.
        assert!(service.poll_ready::<Request<()>>().is_ready());
        let mut second = Box::pin(service.call(with_token("good")));
        for response in [&mut response, &mut second] {
            let mut polls = 0;
            let (_, reply) = loop {
                assert!(poll(response).is_pending());
                if let Poll::Ready(request) = handle.poll_request() {
                    break request.expect("a request");
                }
                polls += 1;
                assert!(polls < 10, "the inner service is never called");
            };
            reply.send_response(answer("inner"));
            let Poll::Ready(Ok(response)) = poll(response) else { panic!("not answered") };
            assert_eq!(response.status(), StatusCode::OK);
        }
    }
}

#[test]
fn a_refusal_never_comes_to_the_inner_service() {
    for verifier in both_ways() {
        let (mut service, mut handle) = mocked(&verifier);
        for token in ["bad", "down"] {
            assert!(service.poll_ready::<Request<()>>().is_ready());
            let response = run(service.call(with_token(token))).expect("a response, not an error");
            assert!(!response.status().is_success());
        }
        assert!(service.poll_ready::<Request<()>>().is_ready());
        let response = run(service.call(Request::new(()))).expect("a response, not an error");
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        assert!(handle.poll_request().is_pending());
    }
}

#[test]
fn the_readiness_of_the_inner_service_is_that_of_the_layer() {
    let verifier = Scripted::at_once();
    let (mut service, mut handle) = mocked(&verifier);
    handle.allow(0);
    assert!(service.poll_ready::<Request<()>>().is_pending());
    handle.allow(1);
    assert!(service.is_woken());
    assert!(service.poll_ready::<Request<()>>().is_ready());
    handle.send_error("not today");
    let Poll::Ready(Err(error)) = service.poll_ready::<Request<()>>() else { panic!("no error") };
    assert_eq!(error.to_string(), "not today");
    assert_eq!(verifier.asked(), 0, "nobody asked for anything yet");
}

#[test]
fn an_error_of_the_inner_service_comes_out_as_it_is() {
    #[derive(Debug, PartialEq)]
    struct Mine(u8);

    for verifier in both_ways() {
        let inner = service_fn(|_: Request<()>| async { Err::<Response<Body>, _>(Mine(7)) });
        let mut service = layer(&verifier).layer(inner);
        assert_eq!(run(service.call(with_token("good"))).unwrap_err(), Mine(7));
    }
}

/// A service that counts how often it was called, and is pending twice.
fn counting(
    calls: &Arc<AtomicUsize>,
) -> impl Service<Request<()>, Response = Response<Body>, Error = Infallible> + Clone + use<> {
    let calls = Arc::clone(calls);
    service_fn(move |_: Request<()>| {
        calls.fetch_add(1, Ordering::SeqCst);
        async {
            Polls(2).await;
            Ok(answer("inner"))
        }
    })
}

/// Whenever a client hangs up, nothing that was held for it stays held: the next request gets through.
#[test]
fn a_future_may_be_dropped_at_every_poll() {
    for (verifier, first_call) in both_ways().into_iter().zip([0, 3]) {
        for polls in 0..6 {
            let calls = Arc::default();
            let limited = ConcurrencyLimit::new(counting(&calls), 1);
            let mut service = layer(&verifier).layer(limited);
            let mut ready = || service.poll_ready(&mut Context::from_waker(Waker::noop()));
            assert!(ready().is_ready());
            let mut response = Box::pin(service.call(with_token("good")));
            let _done = (0..polls).any(|_| poll(&mut response).is_ready());
            drop(response);
            let called = calls.load(Ordering::SeqCst);
            assert_eq!(called, usize::from(polls >= first_call), "{polls} polls");

            let mut ready = || service.poll_ready(&mut Context::from_waker(Waker::noop()));
            assert!(ready().is_ready(), "a permit was lost after {polls} polls");
            let response = run(service.call(with_token("good"))).expect("infallible");
            assert_eq!(response.status(), StatusCode::OK);
            assert_eq!(calls.load(Ordering::SeqCst), called + 1);
        }
    }
}

#[test]
fn a_limit_inside_counts_requests_until_they_are_answered() {
    for verifier in both_ways() {
        let calls = Arc::default();
        let limited = ConcurrencyLimit::new(counting(&calls), 1);
        let mut service = layer(&verifier).layer(limited);
        let mut other = service.clone();
        let mut context = Context::from_waker(Waker::noop());
        assert!(service.poll_ready(&mut context).is_ready());
        let response = service.call(with_token("good"));
        // The permit went with the request, so nobody else has it.
        assert!(other.poll_ready(&mut context).is_pending());
        assert!(service.poll_ready(&mut context).is_pending());
        assert_eq!(run(response).expect("infallible").status(), StatusCode::OK);
        assert!(other.poll_ready(&mut context).is_ready());
        assert_eq!(run(other.call(with_token("good"))).expect("infallible").status(), StatusCode::OK);
    }
}

/// A connection whose request was refused may stay open for long; it must not keep others from theirs.
#[test]
fn a_refused_request_holds_no_permit() {
    for verifier in both_ways() {
        let calls = Arc::default();
        let limited = ConcurrencyLimit::new(counting(&calls), 1);
        let mut refused = layer(&verifier).layer(limited);
        let mut other = refused.clone();
        let mut context = Context::from_waker(Waker::noop());
        assert!(refused.poll_ready(&mut context).is_ready());
        let response = run(refused.call(with_token("bad"))).expect("infallible");
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        assert!(other.poll_ready(&mut context).is_ready(), "the permit is still held");
        assert_eq!(run(other.call(with_token("good"))).expect("infallible").status(), StatusCode::OK);
        assert_eq!(calls.load(Ordering::SeqCst), 1);
    }
}

/// A future that was ready has nothing more to say; a careless caller must not bring the process down.
#[test]
fn a_refusal_may_be_polled_again() {
    for verifier in both_ways() {
        let mut service = layer(&verifier).layer(counting(&Arc::default()));
        let mut response = Box::pin(service.call(with_token("bad")));
        while poll(&mut response).is_pending() {}
        assert!(poll(&mut response).is_pending());
    }
}
