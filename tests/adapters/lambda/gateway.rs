use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::sync::{Mutex as AsyncMutex, mpsc, oneshot};

use super::event::Trigger;

/// What AWS is to a function: the runtime API that it polls, and a server whose requests become its events. Both are
/// real servers; it ends, with all connections, when it is dropped.
pub(crate) struct Gateway {
    /// Where clients send their requests.
    pub(crate) address: SocketAddr,
    /// For the environment variable `AWS_LAMBDA_RUNTIME_API`.
    pub(crate) runtime_api: SocketAddr,
    invocations: Arc<Invocations>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Gateway {
    pub(crate) fn start(trigger: Trigger) -> Self {
        let (clients, address) = listen();
        let (function, runtime_api) = listen();
        let invocations = Arc::new(Invocations::new());
        let (stop, stopped) = oneshot::channel();
        let (for_clients, for_function) = (Arc::clone(&invocations), Arc::clone(&invocations));
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                tokio::spawn(serve(clients, move |request| forward(trigger, Arc::clone(&for_clients), request)));
                tokio::spawn(serve(function, move |request| answer(Arc::clone(&for_function), request)));
                // An error says that the gateway was dropped, too.
                let _ = stopped.await;
            });
        });
        Self { address, runtime_api, invocations, stop: Some(stop), thread: Some(thread) }
    }

    /// Hands the function this event as it is; its answer, or `None` for an error.
    pub(crate) fn invoke(&self, event: &Value) -> Option<Value> {
        self.invocations.begin(event).blocking_recv().expect("the gateway runs")
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        drop(self.stop.take());
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(thread::panicking() || matches!(ended, Some(Ok(()))), "the gateway panicked");
    }
}

struct Invocation {
    event: String,
    outcome: oneshot::Sender<Option<Value>>,
}

struct Invocations {
    enqueue: mpsc::UnboundedSender<Invocation>,
    waiting: AsyncMutex<mpsc::UnboundedReceiver<Invocation>>,
    running: Mutex<Running>,
}

#[derive(Default)]
struct Running {
    begun: u64,
    outcomes: HashMap<String, oneshot::Sender<Option<Value>>>,
}

impl Invocations {
    fn new() -> Self {
        let (enqueue, waiting) = mpsc::unbounded_channel();
        Self { enqueue, waiting: AsyncMutex::new(waiting), running: Mutex::default() }
    }

    fn begin(&self, event: &Value) -> oneshot::Receiver<Option<Value>> {
        let (outcome, receiver) = oneshot::channel();
        assert!(self.enqueue.send(Invocation { event: event.to_string(), outcome }).is_ok(), "the receiver is ours");
        receiver
    }

    /// The next event and the id of its invocation.
    async fn next(&self) -> (String, String) {
        let Invocation { event, outcome } = self.waiting.lock().await.recv().await.expect("the sender is ours");
        let mut running = self.running.lock().expect("nobody panics with it");
        running.begun += 1;
        let id = format!("invocation-{}", running.begun);
        running.outcomes.insert(id.clone(), outcome);
        (event, id)
    }

    fn end(&self, id: &str, answer: Option<Value>) {
        let outcome = self.running.lock().expect("nobody panics with it").outcomes.remove(id);
        // A client may have gone.
        let _ = outcome.expect("an invocation that runs").send(answer);
    }
}

/// A request of a client.
async fn forward(trigger: Trigger, invocations: Arc<Invocations>, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (parts, body) = request.into_parts();
    let Ok(body) = body.collect().await else { return status(StatusCode::BAD_REQUEST) };
    let outcome = invocations.begin(&trigger.event(&parts, &body.to_bytes())).await;
    match outcome.ok().flatten() {
        Some(answer) => trigger.response(&answer),
        None => status(StatusCode::BAD_GATEWAY),
    }
}

/// A request of the function's runtime.
async fn answer(invocations: Arc<Invocations>, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().strip_prefix("/2018-06-01/runtime/invocation/").expect("a path of the runtime API");
    match (parts.method, path.split_once('/')) {
        (Method::GET, None) if path == "next" => {
            let (event, id) = invocations.next().await;
            Response::builder()
                .header("content-type", "application/json")
                .header("lambda-runtime-aws-request-id", id)
                .header("lambda-runtime-deadline-ms", "4000000000000")
                .header("lambda-runtime-invoked-function-arn", "arn:aws:lambda:us-east-1:123456789012:function:test")
                .header("lambda-runtime-trace-id", "Root=1-5bdb40ca-556d8b0c50dc66f0511bf520;Sampled=0")
                .body(Full::from(event))
                .expect("a valid answer")
        }
        (Method::POST, Some((id, outcome))) => {
            let body = body.collect().await.expect("a whole answer").to_bytes();
            let answer = serde_json::from_slice(&body).expect("JSON");
            invocations.end(id, (outcome == "response").then_some(answer));
            status(StatusCode::ACCEPTED)
        }
        (method, _) => panic!("the runtime API has no {method} {path}"),
    }
}

fn status(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}

fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.set_nonblocking(true).expect("a socket can be");
    let address = listener.local_addr().expect("it is bound");
    (listener, address)
}

async fn serve<F, A>(listener: TcpListener, answer: F)
where
    F: Fn(Request<Incoming>) -> A + Clone + Send + 'static,
    A: Future<Output = Response<Full<Bytes>>> + Send + 'static,
{
    let listener = tokio::net::TcpListener::from_std(listener).expect("it does not block");
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let answer = answer.clone();
        let service = service_fn(move |request| {
            let answer = answer(request);
            async { Ok::<_, Infallible>(answer.await) }
        });
        // An error is one of a client who is gone.
        tokio::spawn(async { drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await) });
    }
}
