//! `ackd serve`: the server's life, from the first check of its settings to its last commit.

use std::io::Write;

use tokio::net::{TcpListener, TcpSocket};
use tokio::signal::unix::{SignalKind, signal};

use crate::config::{ConfigError, ServeArgs};
use crate::exit::Exit;
use crate::logging;
use crate::wiring::{WiringError, wire};

/// Why the server did not run to its proper end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServeError {
    /// The settings cannot be served.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A part does not start.
    #[error(transparent)]
    Wiring(#[from] WiringError),
    /// The address cannot be listened on.
    #[error("cannot listen on {0}: {1}")]
    Listen(std::net::SocketAddr, std::io::Error),
    /// The operating system refuses something else.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl ServeError {
    /// The exit code that the error ends the process with.
    #[must_use]
    pub(crate) fn exit(&self) -> Exit {
        match self {
            ServeError::Config(_) | ServeError::Wiring(WiringError::Api(_)) => Exit::WrongUse,
            _ => Exit::Failed,
        }
    }
}

/// Serves until it is told to stop.
///
/// # Errors
/// [`ServeError`].
pub(crate) fn serve(args: ServeArgs) -> Result<(), ServeError> {
    let config = args.config()?;
    logging::start(config.log_format, config.log_level);
    let wired = wire(&config)?;
    allow_files(config.max_connections);
    let engine = wired.app.engine().clone();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let streams = streams()?;
    let served = runtime.block_on(async {
        let listener = listen(config.listen).map_err(|error| ServeError::Listen(config.listen, error))?;
        let address = listener.local_addr()?;
        let stop = stop_signal()?;
        tracing::info!(%address, data = %config.data.display(), "serving");
        // Whoever started the server waits for this line; if nobody reads it, that is no reason not to serve.
        let mut stdout = std::io::stdout();
        drop(writeln!(stdout, "listening on http://{address}").and_then(|()| stdout.flush()));
        let (deliverer, pusher, bulk) = (wired.deliver(), wired.push(), wired.bulk());
        let keeper = wired.keep_files();
        let served = ackd_http::serve(listener, wired.app, streams.handle(), stop).await;
        // While the engine still takes down what became of the posts under way.
        tokio::join!(deliverer.stop(), pusher.stop(), bulk.stop(), keeper.stop());
        Ok(served?)
    });
    // What was asked for is committed and answered before the process ends.
    engine.stop();
    tracing::info!("stopped");
    served
}

/// Threads for those who follow events, which make way for all others: an event that ten thousand are told of is ten
/// thousand writes, and whoever submits a job meanwhile is not to wait for them.
fn streams() -> std::io::Result<tokio::runtime::Runtime> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{getpriority_process, setpriority_process};
        /// A third of the others' share of a processor that both want.
        const LESS: i32 = 5;
        // On Linux it is the thread's own (setpriority(2)). Where it is refused, they share alike.
        let niceness = getpriority_process(None).unwrap_or_default() + LESS;
        builder.on_thread_start(move || {
            let _ = setpriority_process(None, niceness);
        });
    }
    builder.thread_name("streams").enable_all().build()
}

/// Listens with room for the thousands of clients that come back at once after a restart: whom the system has no room for
/// it lets wait, or cuts off.
fn listen(address: std::net::SocketAddr) -> std::io::Result<TcpListener> {
    /// The system takes less where `net.core.somaxconn` says so.
    const WAITING: u32 = 16_384;
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // As a listener that the library binds by itself: a server that was just stopped can be started again at once.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(WAITING)
}

/// Lets the process have as many open files as it may: each connection is one. Many systems begin with 1024.
fn allow_files(connections: usize) {
    use rustix::process::{Resource, getrlimit, setrlimit};
    // The store's files, the listener and what else is open.
    const OTHERS: u64 = 128;
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if setrlimit(Resource::Nofile, limit).is_err() {
        limit = getrlimit(Resource::Nofile);
    }
    let wanted = connections as u64 + OTHERS;
    if let Some(files) = limit.current.filter(|files| *files < wanted) {
        tracing::warn!(files, connections, "fewer files may be open than connections are allowed; see `ulimit -n`");
    }
}

/// Completes at the first SIGTERM or SIGINT; a second one ends the process at once.
pub(crate) fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        let mut next = async || {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        next().await;
        tracing::info!("stopping; a second signal stops at once");
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            std::process::exit(Exit::Failed as i32);
        });
    })
}
