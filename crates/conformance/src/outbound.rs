//! What everything that posts must do.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use ackd_domain::Timestamp;
use bytes::Bytes;

use ackd_ports::{
    BodyEnd, Opening, Outbound, OutboundError, Post, PostBody, PostSource, PostStream, Reply, Signed, SigningKey,
    UrlError, Wanted,
};

/// The other end of an exercise.
pub trait Receiver {
    /// A URL that leads to it, with this path.
    fn url(&self, path: &str) -> Arc<str>;

    /// Says what the next posts are answered with, in order.
    fn answer_with(&self, url: &str, answers: Vec<Answer>);

    /// The posts it got since it was last asked, in order.
    fn received(&self) -> Vec<Received>;
}

/// What a receiver answers.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// `Retry-After`, in seconds.
    pub retry_after: Option<u32>,
    /// The body.
    pub body: Bytes,
}

/// What a receiver got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// `webhook-id`
    pub id: String,
    /// `webhook-timestamp`, in seconds.
    pub timestamp: i64,
    /// How many signatures `webhook-signature` holds.
    pub signatures: usize,
    /// `Content-Type`
    pub content_type: String,
    /// `Further`, a header that is none of HTTP's or the standard's.
    pub further: String,
    /// The body.
    pub body: Bytes,
}

/// Exercises `outbound` with `receiver` at its other end.
///
/// # Panics
/// Where it does not do what [`Outbound`] says.
pub async fn exercise(outbound: &dyn Outbound, receiver: &dyn Receiver) {
    posts_arrive_as_they_are(outbound, receiver).await;
    every_status_is_an_answer(outbound, receiver).await;
    the_body_of_an_answer_is_cut(outbound, receiver).await;
    an_answer_is_read_to_its_end_where_all_of_it_is_wanted(outbound, receiver).await;
    what_is_streamed_arrives_whole_or_is_an_error(outbound, receiver).await;
    what_cannot_be_sent_is_not_sent(outbound, receiver).await;
    nothing_is_sent_before_it_is_awaited(outbound, receiver).await;
}

fn post_to(url: Arc<str>) -> Post {
    Post {
        url,
        at: Timestamp::from_millis(1_700_000_000_999),
        content_type: "application/json".into(),
        body: Bytes::from_static(b"{\"a\":1}").into(),
        signed: signed("msg_1", 1),
        headers: Vec::new(),
        wanted: Wanted::Beginning,
        timeout: Duration::from_secs(20),
    }
}

fn signed(id: &str, keys: usize) -> Option<Signed> {
    Some(Signed { id: id.into(), keys: vec![key(); keys] })
}

/// A key as a user would name it.
fn key() -> SigningKey {
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse().expect("it is a key")
}

fn answer(status: u16) -> Answer {
    Answer { status, retry_after: None, body: Bytes::new() }
}

async fn posts_arrive_as_they_are(outbound: &dyn Outbound, receiver: &dyn Receiver) {
    let url = receiver.url("/as-it-is?a=b");
    outbound.check(&url).unwrap_or_else(|error| panic!("{url} is refused: {error}"));
    for keys in 0..=3_usize {
        let post = Post {
            signed: signed("msg_1", keys),
            content_type: "text/plain; charset=utf-8".into(),
            ..post_to(Arc::clone(&url))
        };
        let reply = outbound.post(post).await.unwrap_or_else(|error| panic!("a post to {url} failed: {error}"));
        assert!(reply.is_success(), "the post was answered {}", reply.status);
        let expected = Received {
            id: "msg_1".to_owned(),
            timestamp: 1_700_000_000,
            signatures: keys,
            content_type: "text/plain; charset=utf-8".to_owned(),
            further: String::new(),
            body: Bytes::from_static(b"{\"a\":1}"),
        };
        assert_eq!(receiver.received(), [expected], "what arrived is not what was posted");
    }
    let headers = vec![("further", Arc::from("a b"))];
    let unsigned = Post { signed: None, headers, ..post_to(Arc::clone(&url)) };
    outbound.post(unsigned).await.unwrap_or_else(|error| panic!("a post that is no webhook failed: {error}"));
    let expected = Received {
        id: String::new(),
        timestamp: 0,
        signatures: 0,
        content_type: "application/json".to_owned(),
        further: "a b".to_owned(),
        body: Bytes::from_static(b"{\"a\":1}"),
    };
    assert_eq!(receiver.received(), [expected], "what is no webhook arrived as one, or without its header");
    let empty = Post { body: Bytes::new().into(), content_type: "".into(), ..post_to(url) };
    outbound.post(empty).await.unwrap_or_else(|error| panic!("an empty post failed: {error}"));
    let got = receiver.received().pop().map(|got| (got.body, got.content_type));
    assert_eq!(got, Some((Bytes::new(), String::new())));
}

async fn every_status_is_an_answer(outbound: &dyn Outbound, receiver: &dyn Receiver) {
    let url = receiver.url("/status");
    let answers = [(200, None), (204, None), (302, None), (410, None), (429, Some(7)), (500, None), (503, Some(0))];
    let scripted = answers.map(|(status, retry_after)| Answer { retry_after, ..answer(status) });
    receiver.answer_with(&url, scripted.to_vec());
    for (status, retry_after) in answers {
        let reply = outbound.post(post_to(Arc::clone(&url))).await;
        let reply = reply.unwrap_or_else(|error| panic!("the answer {status} became an error: {error}"));
        assert_eq!(reply.status, status);
        let retry_after = retry_after.map(|seconds| Duration::from_secs(u64::from(seconds)));
        assert_eq!(reply.retry_after, retry_after, "Retry-After of the answer {status}");
    }
    assert_eq!(receiver.received().len(), answers.len(), "an answer, redirect or error, was followed by another post");
}

async fn the_body_of_an_answer_is_cut(outbound: &dyn Outbound, receiver: &dyn Receiver) {
    let url = receiver.url("/body");
    let lengths = [0, 1, Reply::BODY_BYTES, Reply::BODY_BYTES + 1];
    let body = |length| Bytes::from(vec![b'x'; length]);
    receiver.answer_with(&url, lengths.iter().map(|length| Answer { body: body(*length), ..answer(200) }).collect());
    for length in lengths {
        let reply = outbound.post(post_to(Arc::clone(&url))).await;
        let reply = reply.unwrap_or_else(|error| panic!("an answer of {length} bytes became an error: {error}"));
        assert_eq!(reply.body, body(length.min(Reply::BODY_BYTES)));
        let end = if length > Reply::BODY_BYTES { BodyEnd::Cut } else { BodyEnd::Whole };
        assert_eq!(reply.end, end, "of an answer of {length} bytes");
    }
    receiver.received();
}

async fn an_answer_is_read_to_its_end_where_all_of_it_is_wanted(outbound: &dyn Outbound, receiver: &dyn Receiver) {
    const MOST: usize = 200 << 10;
    let url = receiver.url("/whole");
    let body = |length| Bytes::from(vec![b'x'; length]);
    for (status, length, kept, end) in [
        (200, 0, 0, BodyEnd::Whole),
        (202, MOST - 1, MOST - 1, BodyEnd::Whole),
        (200, MOST, MOST, BodyEnd::Whole),
        (200, MOST + 1, MOST, BodyEnd::Cut),
        (500, Reply::BODY_BYTES, Reply::BODY_BYTES, BodyEnd::Whole),
        (422, Reply::BODY_BYTES + 1, Reply::BODY_BYTES, BodyEnd::Cut),
    ] {
        receiver.answer_with(&url, vec![Answer { body: body(length), ..answer(status) }]);
        let reply = outbound.post(Post { wanted: Wanted::Whole(MOST), ..post_to(Arc::clone(&url)) }).await;
        let reply = reply.unwrap_or_else(|error| panic!("an answer of {length} bytes became an error: {error}"));
        assert_eq!((reply.status, reply.body.len(), reply.end), (status, kept, end), "of {length} bytes");
    }
    receiver.received();
}

/// A body in pieces, of which one may be an error, and the length that it says it has.
#[derive(Debug, Clone)]
struct Pieces(u64, Vec<Result<Bytes, Arc<str>>>);

impl PostSource for Pieces {
    fn length(&self) -> u64 {
        self.0
    }

    fn open(&self) -> Opening {
        let pieces: Box<dyn PostStream> = Box::new(Reading(self.1.clone().into()));
        Box::pin(async { Ok(pieces) })
    }
}

struct Reading(VecDeque<Result<Bytes, Arc<str>>>);

impl PostStream for Reading {
    fn poll_next(&mut self, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Arc<str>>>> {
        Poll::Ready(self.0.pop_front())
    }
}

async fn what_is_streamed_arrives_whole_or_is_an_error(outbound: &dyn Outbound, receiver: &dyn Receiver) {
    let url = receiver.url("/streamed");
    let of = |length, pieces: &[Result<&'static str, &str>]| {
        let pieces = pieces.iter().map(|piece| match piece {
            Ok(text) => Ok(Bytes::from_static(text.as_bytes())),
            Err(why) => Err(Arc::from(*why)),
        });
        let body = PostBody::Streamed(Arc::new(Pieces(length, pieces.collect())));
        Post { body, signed: None, ..post_to(Arc::clone(&url)) }
    };
    for (length, pieces, whole) in
        [(0, &[][..], ""), (3, &[Ok("abc")], "abc"), (6, &[Ok("ab"), Ok("c"), Ok("def")], "abcdef")]
    {
        let reply = outbound.post(of(length, pieces)).await;
        assert!(reply.as_ref().is_ok_and(Reply::is_success), "{pieces:?}: {reply:?}");
        let got = receiver.received().pop().map(|got| got.body);
        assert_eq!(got.as_deref(), Some(whole.as_bytes()), "{pieces:?}");
    }
    for (length, pieces) in [(5, &[Ok("ab"), Err("torn")][..]), (5, &[Err("torn")]), (5, &[Ok("ab")]), (0, &[])] {
        // What is signed stands before the body: it cannot be streamed.
        let signed = Post { signed: signed("msg_1", 1), ..of(length, pieces) };
        assert_eq!(outbound.post(signed).await, Err(OutboundError::Unsignable));
        if length > 0 {
            let torn = outbound.post(of(length, pieces)).await;
            assert!(matches!(torn, Err(OutboundError::Body(_))), "{pieces:?}: {torn:?}");
        }
    }
    assert_eq!(receiver.received(), [], "a part of a body was taken for all of it");
}

async fn what_cannot_be_sent_is_not_sent(outbound: &dyn Outbound, receiver: &dyn Receiver) {
    for (url, error) in [
        ("", UrlError::Scheme),
        ("ftp://example.com/", UrlError::Scheme),
        ("http://user@example.com/", UrlError::UserInfo),
        ("http://example.com/#here", UrlError::Fragment),
        ("http://0x7f.1/", UrlError::Ipv4Spelling),
    ] {
        assert_eq!(outbound.check(url), Err(OutboundError::Url(error)), "{url:?}");
        let posted = outbound.post(post_to(url.into())).await;
        assert_eq!(posted, Err(OutboundError::Url(error)), "{url:?}");
        assert!(posted.is_err_and(|error| error.is_permanent()));
    }
    let url = receiver.url("/headers");
    let longest = "a".repeat(Post::MAX_ID_BYTES);
    let good = Post { signed: signed(&longest, 1), ..post_to(Arc::clone(&url)) };
    assert!(outbound.post(good).await.is_ok(), "an id of {} bytes is refused", longest.len());
    assert_eq!(receiver.received().len(), 1);
    for (id, content_type) in [
        ("", "text/plain"),
        ("a.b", "text/plain"),
        ("a b", "text/plain"),
        ("a\r\nx: y", "text/plain"),
        (&format!("{longest}a"), "text/plain"),
        ("a", "text/plain\r\nx: y"),
    ] {
        let post = Post { signed: signed(id, 1), content_type: content_type.into(), ..post_to(Arc::clone(&url)) };
        let error = outbound.post(post).await.err();
        assert!(matches!(error, Some(OutboundError::Header(_))), "{id:?}, {content_type:?}: {error:?}");
    }
    for value in ["", "a\r\nx: y", "\u{e4}"] {
        let post = Post { headers: vec![("further", value.into())], ..post_to(Arc::clone(&url)) };
        assert_eq!(outbound.post(post).await, Err(OutboundError::Header("further")), "{value:?}");
    }
    assert_eq!(receiver.received(), [], "something was sent that cannot be");
}

async fn nothing_is_sent_before_it_is_awaited(outbound: &dyn Outbound, receiver: &dyn Receiver) {
    let url = receiver.url("/lazy");
    drop(outbound.post(post_to(Arc::clone(&url))));
    let awaited = Post { signed: signed("awaited", 1), ..post_to(url) };
    assert!(outbound.post(awaited).await.is_ok());
    let ids: Vec<String> = receiver.received().into_iter().map(|got| got.id).collect();
    assert_eq!(ids, ["awaited"], "a post was sent that nobody awaited");
}
