use std::error::Error;

use rustls::{ClientConfig, RootCertStore};
use tower_user_metadata::store::MemoryStore;

fn main() -> Result<(), Box<dyn Error>> {
    let _metadata = MemoryStore::new();
    // Leaves the choice to the features of rustls.
    let _client = ClientConfig::builder().with_root_certificates(RootCertStore::empty()).with_no_client_auth();
    assert!(rustls::crypto::CryptoProvider::get_default().is_some());
    Ok(())
}
