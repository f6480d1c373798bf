//! The sidecar: answers the checks of a proxy, and keeps metadata for services in any language.

mod failure;
mod list;
mod read;
mod server;
mod settings;

use std::env;
use std::process::ExitCode;

use tower_user_metadata::ConfigError;
use tower_user_metadata::session::JwtVerifier;
use tower_user_metadata::session::keys::{Algorithm, Jwks};
use tower_user_metadata::store;

use crate::failure::Failure;
use crate::settings::{Settings, Tokens};

#[tokio::main]
async fn main() -> ExitCode {
    let settings = match read::settings(env::args_os()) {
        Ok(settings) => settings,
        Err(error) => {
            // There is nobody to tell where standard error is closed.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(1));
        }
    };
    match run(settings).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("user-metadata-auth: {failure}");
            failure.exit_code()
        }
    }
}

async fn run(settings: Settings) -> Result<(), Failure> {
    tracing_subscriber::fmt().with_max_level(settings.log).with_ansi(false).with_writer(std::io::stderr).init();
    let verifier = verifier(&settings).await?;
    let store = match &settings.database_url {
        Some(url) => Some(store::connect(url).await?),
        None => None,
    };
    server::run(&settings, verifier, store).await
}

async fn verifier(settings: &Settings) -> Result<JwtVerifier, ConfigError> {
    use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
    // Those of public keys: a secret must never come from a key server.
    let mut keys = Jwks::builder([RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA]);
    if let Some(url) = &settings.jwks_url {
        keys = keys.with_url(url);
    }
    if let Some(uri) = &settings.supertokens_connection_uri {
        keys = keys.with_supertokens_core(uri);
    }
    if settings.allow_plain_http {
        keys = keys.with_dangerous_plain_http();
    }
    if settings.offline_start {
        keys = keys.with_offline_start();
    }
    let keys = keys.build().await?;
    if settings.tokens() != Tokens::Jwt {
        let mut verifier = JwtVerifier::supertokens(keys);
        if settings.tokens() == Tokens::SupertokensStatic {
            verifier = verifier.with_static_signing_key();
        }
        if let Some(issuer) = &settings.issuer {
            verifier = verifier.with_issuer(issuer.as_str());
        }
        for audience in settings.audiences() {
            verifier = verifier.with_audience(audience.as_str());
        }
        return verifier.build();
    }
    let mut verifier = JwtVerifier::builder(keys);
    if let Some(issuer) = &settings.issuer {
        verifier = verifier.with_issuer(issuer.as_str());
    }
    for audience in settings.audiences() {
        verifier = verifier.with_audience(audience.as_str());
    }
    if settings.any_audience {
        verifier = verifier.without_audience();
    }
    if let Some(claim) = &settings.user_claim {
        verifier = verifier.with_user_claim(claim.as_str());
    }
    if let Some(claim) = &settings.tenant_claim {
        verifier = verifier.with_tenant_claim(claim.as_str());
    }
    if let Some(claim) = &settings.session_claim {
        verifier = verifier.with_session_claim(claim.as_str());
    }
    if let Some(types) = settings.token_types() {
        verifier = verifier.with_token_types(types.iter().map(String::as_str));
    }
    if settings.integer_ids {
        verifier = verifier.with_integer_ids();
    }
    for token_type in settings.required_token_types() {
        verifier = verifier.with_required_token_type(token_type.as_str());
    }
    // Those that cannot be read are told when the settings are.
    for (name, value) in settings.required_claims().unwrap_or_default() {
        verifier = verifier.with_required_claim(name, value);
    }
    for name in settings.forbidden_claims() {
        verifier = verifier.with_forbidden_claim(name.as_str());
    }
    if settings.id_tokens {
        verifier = verifier.with_id_tokens();
    }
    if let Some(leeway) = settings.leeway {
        verifier = verifier.with_leeway(leeway);
    }
    verifier.build()
}
