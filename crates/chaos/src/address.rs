use std::net::SocketAddr;

use tokio::sync::watch;

/// Where the server is, as its clients know it. It has another port after each start.
#[derive(Debug, Clone)]
pub(crate) struct Address(watch::Receiver<Place>);

#[derive(Debug, Clone, Copy, Default)]
struct Place {
    at: Option<SocketAddr>,
    /// How often the power was cut. What was under way then is never answered, whatever a process says that has
    /// outlived the cut for a moment.
    cuts: u64,
}

impl Address {
    /// Where it is; nowhere while it does not run.
    pub(crate) fn get(&self) -> Option<SocketAddr> {
        self.0.borrow().at
    }

    /// How often its power was cut.
    pub(crate) fn cuts(&self) -> u64 {
        self.0.borrow().cuts
    }

    /// Waits until it is somewhere.
    pub(crate) async fn up(&mut self) -> SocketAddr {
        let at = self.0.wait_for(|place| place.at.is_some()).await.ok().and_then(|place| place.at);
        match at {
            Some(at) => at,
            // The world is over, and this task with it.
            None => std::future::pending().await,
        }
    }
}

/// Says where the server is.
#[derive(Debug)]
pub(crate) struct Signpost(watch::Sender<Place>);

impl Signpost {
    pub(crate) fn new() -> Signpost {
        Signpost(watch::Sender::new(Place::default()))
    }

    pub(crate) fn point(&self, to: Option<SocketAddr>) {
        self.0.send_modify(|place| place.at = to);
    }

    /// Its power is cut.
    pub(crate) fn cut(&self) {
        self.0.send_modify(|place| *place = Place { at: None, cuts: place.cuts + 1 });
    }

    pub(crate) fn address(&self) -> Address {
        Address(self.0.subscribe())
    }
}
