//! Posts over https.

use std::io::{BufReader, Write};
use std::sync::Arc;

use ackd_outbound::{HttpOutbound, Options, RootCertStore};
use ackd_ports::{Outbound, OutboundError};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::receiver::{Receiver, read_request};
use crate::{Answers, options, post};

// A CA made for this test alone, whose key was thrown away, and a certificate that it signed. Both end in 2126.
const CA: &[u8] = include_bytes!("../tls/ca.pem");
const CERTIFICATE: &[u8] = include_bytes!("../tls/server.pem");
const KEY: &[u8] = include_bytes!("../tls/server.key");

/// A receiver whose certificate is for `receiver.test` and 127.0.0.1.
fn receiver() -> Receiver {
    let certificate = CertificateDer::from_pem_slice(CERTIFICATE).unwrap();
    let key = PrivateKeyDer::from_pem_slice(KEY).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let config = Arc::new(config);
    Receiver::start(move |stream, _| {
        let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
        let mut reader = BufReader::new(StreamOwned::new(connection, stream));
        while read_request(&mut reader).is_some() {
            reader.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").unwrap();
        }
    })
}

fn trusting(roots: RootCertStore) -> HttpOutbound {
    let resolver = Answers::addresses([&["127.0.0.1"]]);
    HttpOutbound::new(Options { resolver, roots: Some(Arc::new(roots)), ..options() })
}

fn test_ca() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(CA).unwrap()).unwrap();
    roots
}

#[tokio::test]
async fn a_receiver_with_a_trusted_certificate_for_its_host_gets_the_posts_over_one_connection() {
    let receiver = receiver();
    let outbound = trusting(test_ca());
    let port = receiver.address.port();
    for _ in 0..3 {
        let reply = outbound.post(post(&format!("https://Receiver.test:{port}/hook"))).await.unwrap();
        assert_eq!((reply.status, reply.body.as_ref()), (200, &b"ok"[..]));
    }
    assert_eq!(receiver.accepted(), 1);
    for host in ["127.0.0.1", "receiver.test."] {
        let reply = outbound.post(post(&format!("https://{host}:{port}/hook"))).await;
        assert_eq!(reply.map(|reply| reply.status), Ok(200), "{host}");
    }
}

#[tokio::test]
async fn a_receiver_that_is_not_who_it_should_be_gets_nothing() {
    let receiver = receiver();
    let port = receiver.address.port();
    for (roots, host) in [(test_ca(), "other.test"), (RootCertStore::empty(), "receiver.test")] {
        let error = trusting(roots).post(post(&format!("https://{host}:{port}/hook"))).await.unwrap_err();
        assert!(matches!(&error, OutboundError::Tls { host: named, .. } if **named == *host), "{error:?}");
        assert!(!error.is_permanent(), "its certificate may be renewed");
    }
}

#[tokio::test]
async fn a_receiver_that_speaks_no_tls_gets_nothing() {
    let receiver = Receiver::start(|mut stream, _| {
        drop(stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"));
        let mut reader = BufReader::new(stream);
        assert!(read_request(&mut reader).is_none(), "a request came in the clear");
    });
    let url = format!("https://receiver.test:{}/hook", receiver.address.port());
    let error = trusting(test_ca()).post(post(&url)).await.unwrap_err();
    assert!(matches!(error, OutboundError::Tls { .. }), "{error:?}");
}
