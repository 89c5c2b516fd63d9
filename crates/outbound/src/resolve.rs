use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::Semaphore;

/// What a look-up comes to.
pub type Resolved = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// Looks host names up. Its answer is believed by nobody: each address is judged before it is connected to.
pub trait Resolve: Send + Sync {
    /// The addresses of `host`, the best first.
    fn resolve(&self, host: Arc<str>) -> Resolved;
}

/// The operating system's resolver, as `/etc/hosts` and `/etc/resolv.conf` say.
#[derive(Debug, Clone)]
pub struct SystemResolver {
    /// A look-up holds a thread until the resolver gives up, even where nobody waits for it any longer.
    threads: Arc<Semaphore>,
}

impl SystemResolver {
    /// The most look-ups at a time: a quarter of the threads that tokio has for whatever blocks.
    pub const MAX_LOOKUPS: usize = 128;
}

impl Default for SystemResolver {
    fn default() -> SystemResolver {
        SystemResolver { threads: Arc::new(Semaphore::new(SystemResolver::MAX_LOOKUPS)) }
    }
}

impl Resolve for SystemResolver {
    fn resolve(&self, host: Arc<str>) -> Resolved {
        let threads = Arc::clone(&self.threads);
        Box::pin(async move {
            let permit = threads.acquire_owned().await.map_err(io::Error::other)?;
            let lookup = tokio::task::spawn_blocking(move || {
                let found = (&*host, 0).to_socket_addrs();
                drop(permit);
                Ok(found?.map(|address| address.ip()).collect())
            });
            lookup.await.map_err(io::Error::other)?
        })
    }
}
