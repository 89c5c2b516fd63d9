use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use ackd_ports::{
    BodyEnd, Outbound, OutboundError, Post, PostBody, PostSource, Posted, Reply, SigningKey, TargetUrl, Wanted,
};

/// An [`Outbound`] for tests: it sends nothing, records what it is asked to post, with what it has read of a body that is streamed,
/// and answers as it was told.
/// A clone is the same.
#[derive(Clone, Default)]
pub struct FakeOutbound(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    posted: Condvar,
}

#[derive(Default)]
struct State {
    posts: Vec<Post>,
    scripts: HashMap<Arc<str>, VecDeque<Script>>,
}

/// What becomes of a post.
#[derive(Debug, Clone)]
pub enum Script {
    /// The receiver answers.
    Reply(Reply),
    /// There is no answer.
    Fail(OutboundError),
    /// Nothing happens until the future is dropped.
    Hang,
}

impl Script {
    /// An empty answer of this status, at once.
    #[must_use]
    pub fn status(status: u16) -> Script {
        Script::Reply(Reply::empty(status))
    }
}

impl FakeOutbound {
    /// One that answers every post with an empty 204.
    #[must_use]
    pub fn new() -> FakeOutbound {
        FakeOutbound::default()
    }

    /// Says what becomes of the next posts to `url`, in order. Whatever comes after them gets a 204.
    pub fn script(&self, url: &str, scripts: impl IntoIterator<Item = Script>) {
        self.lock().scripts.entry(url.into()).or_default().extend(scripts);
    }

    /// All posts until now, in the order of the calls.
    #[must_use]
    pub fn posts(&self) -> Vec<Post> {
        self.lock().posts.clone()
    }

    /// Blocks until there were `count` posts in all, and gives them; after `patience` those that there were.
    #[must_use]
    pub fn wait_for(&self, count: usize, patience: Duration) -> Vec<Post> {
        let missing = |state: &mut State| state.posts.len() < count;
        let waited = self.0.posted.wait_timeout_while(self.lock(), patience, missing);
        waited.unwrap_or_else(PoisonError::into_inner).0.posts.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self, post: Post) -> Script {
        let mut state = self.lock();
        let script = state.scripts.get_mut(&post.url).and_then(VecDeque::pop_front);
        state.posts.push(post);
        self.0.posted.notify_all();
        script.unwrap_or_else(|| Script::status(204))
    }
}

impl Outbound for FakeOutbound {
    fn check(&self, url: &str) -> Result<(), OutboundError> {
        url.parse::<TargetUrl>()?;
        Ok(())
    }

    fn check_key(&self, _: &SigningKey) -> Result<(), OutboundError> {
        Ok(())
    }

    fn post(&self, post: Post) -> Posted {
        let this = self.clone();
        Box::pin(async move {
            let (wanted, mut post) = (post.wanted, post);
            this.check(&post.url)?;
            post.check_headers()?;
            if let PostBody::Streamed(source) = &post.body {
                post.body = PostBody::Bytes(read(&**source).await?);
            }
            match this.next(post) {
                Script::Reply(mut reply) => {
                    let most = match wanted {
                        Wanted::Whole(most) if reply.is_success() => most,
                        Wanted::Whole(_) | Wanted::Beginning => Reply::BODY_BYTES,
                    };
                    if reply.body.len() > most {
                        reply.body.truncate(most);
                        reply.end = BodyEnd::Cut;
                    }
                    Ok(reply)
                }
                Script::Fail(error) => Err(error),
                Script::Hang => std::future::pending().await,
            }
        })
    }
}

/// All that `source` holds.
async fn read(source: &dyn PostSource) -> Result<Bytes, OutboundError> {
    let mut stream = source.open().await.map_err(OutboundError::Body)?;
    let mut bytes = Vec::new();
    while let Some(next) = std::future::poll_fn(|cx| stream.poll_next(cx)).await {
        bytes.extend_from_slice(&next.map_err(OutboundError::Body)?);
    }
    if bytes.len() as u64 != source.length() {
        return Err(OutboundError::Body("it is not as long as it was said to be".into()));
    }
    Ok(bytes.into())
}

impl fmt::Debug for FakeOutbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeOutbound").finish_non_exhaustive()
    }
}
