#[path = "../../shared/key_server.rs"]
mod key_server;

use std::error::Error;

use rustls::{ClientConfig, RootCertStore};
use tower_user_metadata::session::keys::{Algorithm, Jwks};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    // The line of the chapter "Beside other users of rustls".
    rustls::crypto::ring::default_provider().install_default().map_err(|_| "somebody chose already")?;
    let server = key_server::start().await?;
    let keys = Jwks::builder([Algorithm::EdDSA])
        .with_url(&server.url)
        .with_root_certificate(server.certificate)
        .build()
        .await?;
    assert_eq!(keys.status().keys, Some(1));
    let _client = ClientConfig::builder().with_root_certificates(RootCertStore::empty()).with_no_client_auth();
    Ok(())
}
