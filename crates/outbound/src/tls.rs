use std::sync::Arc;

use ackd_ports::Host;
use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Makes trusted connections of plain ones.
#[derive(Debug)]
pub(crate) struct Tls {
    roots: Option<Arc<RootCertStore>>,
    /// Made with the first https post: a server that sends none need not read a hundred certificates.
    config: OnceCell<Arc<ClientConfig>>,
}

impl Tls {
    /// Trusts what `roots` vouch for, without them what the system trusts: `SSL_CERT_FILE` and `SSL_CERT_DIR`, else where
    /// the system keeps its certificates.
    pub(crate) fn new(roots: Option<Arc<RootCertStore>>) -> Tls {
        Tls { roots, config: OnceCell::new() }
    }

    /// Makes `stream` a connection to `host`, and to nobody else.
    pub(crate) async fn connect(&self, host: &Host, stream: TcpStream) -> Result<Box<TlsStream<TcpStream>>, Arc<str>> {
        let name = match host {
            Host::Address(address) => ServerName::from(*address),
            // A name may end in a full stop, a certificate's does not.
            Host::Name(name) => ServerName::try_from(name.trim_end_matches('.').to_owned())
                .map_err(|_| "no certificate can be for this host name")?,
        };
        // Where there are no certificates the next post looks again: they may be installed meanwhile.
        let config = self.config.get_or_try_init(|| configure(self.roots.clone())).await?;
        match TlsConnector::from(Arc::clone(config)).connect(name, stream).await {
            Ok(stream) => Ok(Box::new(stream)),
            Err(error) => Err(error.to_string().into()),
        }
    }
}

async fn configure(roots: Option<Arc<RootCertStore>>) -> Result<Arc<ClientConfig>, Arc<str>> {
    let roots = match roots {
        Some(roots) => roots,
        // Reading them blocks.
        None => tokio::task::spawn_blocking(system_roots).await.map_err(|error| error.to_string())??,
    };
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn system_roots() -> Result<Arc<RootCertStore>, Arc<str>> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // A system may hold certificates that are too old to be read; the others are good nonetheless.
    let (usable, unusable) = roots.add_parsable_certificates(found.certs);
    if usable > 0 {
        tracing::debug!(usable, unusable, "the system's CA certificates are read");
        return Ok(Arc::new(roots));
    }
    let why = found.errors.first().map(|error| format!(": {error}")).unwrap_or_default();
    Err(format!("this machine has no CA certificates; install ca-certificates or set SSL_CERT_FILE{why}").into())
}
