use std::error::Error;

use rustls::{ClientConfig, RootCertStore};
use tower_user_metadata::store;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    // Nobody listens there: TLS is set up, and then no connection is made.
    for url in [
        "postgres://app@127.0.0.1:1/app?sslmode=require",
        "mariadb://app@127.0.0.1:1/app?ssl-mode=required",
        "rediss://127.0.0.1:1",
    ] {
        let error = match store::connect(url).await {
            Ok(_) => return Err(format!("{url} was reached").into()),
            Err(error) => error,
        };
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(inner) = source {
            text = format!("{text}: {inner}");
            source = inner.source();
        }
        assert!(text.to_lowercase().contains("refused"), "{text}");
    }
    let _client = ClientConfig::builder().with_root_certificates(RootCertStore::empty()).with_no_client_auth();
    Ok(())
}
