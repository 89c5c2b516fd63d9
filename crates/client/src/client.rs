//! A server, as a client knows it.

use std::time::Duration;

use crate::address::{Address, DEFAULT_URL, UrlError};
use crate::backoff::{Backoff, Persistence};
use crate::transport::{Dial, Transport};

/// How long an answer may take, beyond what the server was asked to hold it back.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// How long calls that wait go on while the server is away.
const DEFAULT_PATIENCE: Duration = Duration::from_secs(60);

/// The first wait before coming again to a server that is away.
const BACKOFF_BASE: Duration = Duration::from_millis(100);

/// The longest wait before coming again to a server that is away.
pub(crate) const BACKOFF_MAX: Duration = Duration::from_secs(3);

/// A client of one server. It is cheap to clone, and clones share their connections.
///
/// A call is made once: whether to repeat one that failed is the caller's decision ([`crate::Error::is_transient`]).
/// The exceptions are the calls that wait, [`Client::wait`], [`Client::result`] and [`Client::follow`]: they go on
/// through restarts of the server, up to [`ClientBuilder::patience`].
#[derive(Debug, Clone)]
pub struct Client {
    pub(crate) transport: Transport,
    patience: Duration,
}

/// What a [`Client`] is made of.
#[derive(Debug, Clone)]
pub struct ClientBuilder {
    url: String,
    timeout: Duration,
    patience: Duration,
    dial: Dial,
}

impl Client {
    /// A client of the server at a URL; nothing is sent yet.
    ///
    /// # Errors
    /// The URL is not one of a server.
    pub fn connect(url: impl Into<String>) -> Result<Client, UrlError> {
        Client::builder().url(url).build()
    }

    /// A client with other settings than the defaults.
    #[must_use]
    pub fn builder() -> ClientBuilder {
        ClientBuilder {
            url: DEFAULT_URL.to_owned(),
            timeout: DEFAULT_TIMEOUT,
            patience: DEFAULT_PATIENCE,
            dial: Dial::Tcp,
        }
    }

    /// For a call that goes on while the server is away.
    pub(crate) fn persistence(&self) -> Persistence {
        Persistence::new(Backoff::new(BACKOFF_BASE, BACKOFF_MAX), self.patience)
    }
}

impl ClientBuilder {
    /// Where the server is; default [`DEFAULT_URL`]. Only `http` is supported yet. A path in it is put before every
    /// path of the API, for a proxy that serves it there.
    #[must_use]
    pub fn url(mut self, url: impl Into<String>) -> ClientBuilder {
        self.url = url.into();
        self
    }

    /// How long an answer may take, beyond what the server was asked to hold it back; default 30 s.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> ClientBuilder {
        self.timeout = timeout;
        self
    }

    /// How long the calls that wait go on while the server cannot be reached; default 60 s.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> ClientBuilder {
        self.patience = patience;
        self
    }

    #[cfg(test)]
    pub(crate) fn dial(mut self, dial: Dial) -> ClientBuilder {
        self.dial = dial;
        self
    }

    /// The client; nothing is sent yet.
    ///
    /// # Errors
    /// The URL is not one of a server.
    pub fn build(self) -> Result<Client, UrlError> {
        let address = Address::parse(&self.url)?;
        Ok(Client { transport: Transport::new(self.dial, address, self.timeout), patience: self.patience })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;
    use crate::testing::{Server, job};

    #[test]
    fn a_url_that_is_none_is_refused_before_anything_is_sent() {
        assert!(matches!(Client::connect("https://example.com"), Err(UrlError::Https(_))));
        assert!(Client::connect(DEFAULT_URL).is_ok());
    }

    #[tokio::test]
    async fn a_real_socket_is_spoken_to() {
        let (mut server, client) = Server::tcp().await;
        let get = tokio::spawn(async move { client.get("a").await });
        let request = server.expect("GET /v1/jobs/a").await;
        assert!(request.header("host").unwrap().starts_with("127.0.0.1:"));
        assert!(request.header("user-agent").unwrap().starts_with("ackd-client/"));
        request.answer(200, &job("a", "INIT", 1));
        assert_eq!(get.await.unwrap().unwrap().version, 1);
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_is_told() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let error = Client::connect(url).unwrap().get("a").await.unwrap_err();
        assert!(matches!(error, Error::Unreachable(_)), "{error}");
        assert!(error.to_string().contains("refused"), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn answers_that_are_none_are_told_apart() {
        let (mut server, client) = Server::memory();
        let ask = || {
            tokio::spawn({
                let client = client.clone();
                async move { client.get("a").await.unwrap_err() }
            })
        };

        let asked = ask();
        server.next().await.refuse(ackd_api::Code::NotFound);
        let error = asked.await.unwrap();
        assert!(error.is(ackd_api::Code::NotFound), "{error}");
        assert_eq!(error.problem().unwrap().detail, "as the test says");

        let asked = ask();
        server.next().await.answer_with(
            503,
            &[("retry-after", "7"), ("content-type", "application/problem+json")],
            "{}",
        );
        let error = asked.await.unwrap();
        assert_eq!((error.is_transient(), error.retry_after()), (true, Some(Duration::from_secs(7))));

        let asked = ask();
        server.next().await.answer_with(502, &[("content-type", "text/html")], "<h1>Bad Gateway</h1>");
        let error = asked.await.unwrap();
        assert!(
            matches!(&error, Error::BadAnswer { status: 502, detail } if detail.contains("Bad Gateway")),
            "{error}"
        );

        let asked = ask();
        server.next().await.answer(200, "{}");
        assert!(matches!(asked.await.unwrap(), Error::BadAnswer { status: 200, .. }));

        let asked = ask();
        server.next().await.hang_up();
        assert!(matches!(asked.await.unwrap(), Error::Unreachable(_)));

        let asked = ask();
        let request = server.next().await;
        assert!(matches!(asked.await.unwrap(), Error::Timeout(timeout) if timeout == DEFAULT_TIMEOUT));
        request.given_up().await;
    }
}
