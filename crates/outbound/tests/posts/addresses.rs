//! Which addresses are connected to.

use std::future::pending;
use std::net::{IpAddr, TcpListener};
use std::sync::Arc;

use ackd_outbound::{Allow, HttpOutbound, Options, OwnAddresses, Resolve, Resolved};
use ackd_ports::{Outbound, OutboundError, Phase, Post};

use crate::receiver::Receiver;
use crate::{Answers, SHORT, options, outbound, post};

/// Closes after each answer, so that each post looks its name up.
const CLOSING: &str = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

fn refused(error: &OutboundError) -> Option<(IpAddr, bool)> {
    match error {
        OutboundError::Refused { address, literal, .. } => Some((*address, *literal)),
        _ => None,
    }
}

#[tokio::test]
async fn a_name_that_turns_private_at_the_second_look_up_is_refused_then() {
    let receiver = Receiver::answering(CLOSING);
    let resolver = Answers::addresses([&["127.0.0.1"], &["127.0.0.2"], &["169.254.169.254"], &["127.0.0.1"]]);
    let outbound = HttpOutbound::new(Options { resolver, ..options() });
    let url = format!("http://rebound.test:{}/", receiver.address.port());
    assert_eq!(outbound.post(post(&url)).await.map(|reply| reply.status), Ok(200));
    for address in ["127.0.0.2", "169.254.169.254"] {
        let error = outbound.post(post(&url)).await.unwrap_err();
        assert_eq!(refused(&error), Some((address.parse().unwrap(), false)), "{error}");
        assert!(!error.is_permanent(), "the name may lead elsewhere tomorrow");
    }
    assert_eq!(receiver.accepted(), 1);
    assert_eq!(outbound.post(post(&url)).await.map(|reply| reply.status), Ok(200));
}

#[tokio::test]
async fn the_address_that_was_judged_is_the_one_that_is_connected_to() {
    let judged = Receiver::answering(CLOSING);
    // Whoever looked the name up once more, after the judgement, would come out here.
    let second = Receiver::start_at("127.0.0.2", |_, _| {});
    let resolver = Answers::addresses([&["127.0.0.1"], &["127.0.0.2"]]);
    let outbound = HttpOutbound::new(Options { resolver, ..options() });
    let url = format!("http://rebound.test:{}/", judged.address.port());
    outbound.post(post(&url)).await.unwrap();
    assert_eq!((judged.accepted(), second.accepted()), (1, 0));
}

#[tokio::test]
async fn of_several_addresses_only_those_are_tried_that_may_be() {
    let receiver = Receiver::answering(CLOSING);
    let private = Receiver::start_at("127.0.0.2", |_, _| {});
    let resolver = Answers::addresses([&["127.0.0.2", "10.0.0.1", "::1", "127.0.0.1"]]);
    let outbound = HttpOutbound::new(Options { resolver, ..options() });
    let url = format!("http://several.test:{}/", receiver.address.port());
    assert_eq!(outbound.post(post(&url)).await.map(|reply| reply.status), Ok(200));
    assert_eq!(private.accepted(), 0);
}

#[tokio::test]
async fn where_one_address_takes_no_connection_the_next_is_tried() {
    let receiver = Receiver::answering(CLOSING);
    let allow = Allow::new(vec!["127.0.0.0/8".parse().unwrap()]);
    // Nobody listens there on this port.
    let resolver = Answers::addresses([&["127.0.0.3", "127.0.0.1"]]);
    let outbound = HttpOutbound::new(Options { resolver, allow, ..Options::default() });
    let url = format!("http://several.test:{}/", receiver.address.port());
    assert_eq!(outbound.post(post(&url)).await.map(|reply| reply.status), Ok(200));
}

#[tokio::test]
async fn nothing_is_allowed_unless_the_operator_says_so() {
    let receiver = Receiver::answering(CLOSING);
    let outbound = HttpOutbound::new(Options::default());
    for url in [receiver.url(), receiver.url().replace("127.0.0.1", "localhost")] {
        let error = outbound.post(post(&url)).await.unwrap_err();
        assert!(refused(&error).is_some_and(|(address, _)| address.is_loopback()), "{error}");
    }
    assert_eq!(receiver.accepted(), 0);
}

#[tokio::test]
async fn an_address_in_the_url_is_judged_when_the_url_is_configured() {
    let outbound = outbound();
    for url in ["http://127.0.0.1/", "https://8.8.8.8/", "https://[2606:4700:4700::1111]/", "http://name.test/"] {
        assert_eq!(outbound.check(url), Ok(()), "{url}");
    }
    for url in [
        "http://127.0.0.2/",
        "http://10.0.0.1:8080/",
        "http://169.254.169.254/latest/meta-data",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:7f00:2]/",
        "http://[0:0:0:0:0:ffff:0a00:0001]/",
        "http://[fd00:ec2::254]/",
        "http://[64:ff9b::a9fe:a9fe]/",
        "http://0.0.0.0/",
    ] {
        let error = outbound.check(url).unwrap_err();
        assert!(refused(&error).is_some_and(|(_, literal)| literal), "{url}: {error}");
        assert!(error.is_permanent());
        assert_eq!(outbound.post(post(url)).await, Err(error), "{url}");
    }
    for url in ["http://2130706434/", "http://0x7f.0.0.2/", "http://0177.0.0.2/", "http://127.2/"] {
        assert!(matches!(outbound.check(url), Err(OutboundError::Url(_))), "{url}");
    }
}

/// A machine whose only address is a public one.
struct Public;

impl OwnAddresses for Public {
    fn owns(&self, address: IpAddr) -> bool {
        address == IpAddr::from([8, 8, 8, 8])
    }
}

#[tokio::test]
async fn the_servers_own_public_address_is_refused_unless_it_is_allowed() {
    let resolver = Answers::addresses([&["8.8.8.8"]]);
    let outbound = HttpOutbound::new(Options { resolver, own: Arc::new(Public), ..Options::default() });
    for (url, literal) in [("http://8.8.8.8/", true), ("http://me.test/", false)] {
        let error = outbound.post(post(url)).await.unwrap_err();
        assert_eq!(refused(&error), Some(([8, 8, 8, 8].into(), literal)), "{error}");
    }
    assert_eq!(outbound.check("http://8.8.4.4/"), Ok(()));
    let allow = Allow::new(vec!["8.8.8.8/32".parse().unwrap()]);
    let outbound = HttpOutbound::new(Options { allow, own: Arc::new(Public), ..Options::default() });
    assert_eq!(outbound.check("http://8.8.8.8/"), Ok(()));
}

#[tokio::test]
async fn a_name_that_leads_nowhere_is_an_error_that_says_so() {
    for (answer, why) in
        [(Err("no such host"), "no such host"), (Ok(Vec::new()), "the name exists, but has no address")]
    {
        let outbound = HttpOutbound::new(Options { resolver: Answers::new([answer]), ..options() });
        let error = outbound.post(post("http://nowhere.test/")).await.unwrap_err();
        assert_eq!(error, OutboundError::NoAddress { host: "nowhere.test".into(), why: why.into() });
        assert!(!error.is_permanent());
    }
}

#[tokio::test]
async fn where_nobody_listens_the_error_says_so() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = outbound().post(post(&format!("http://{address}/"))).await.unwrap_err();
    assert!(matches!(error, OutboundError::Connect { .. }), "{error:?}");
    assert!(!error.is_permanent());
}

/// A name server that never answers.
struct Silent;

impl Resolve for Silent {
    fn resolve(&self, _: Arc<str>) -> Resolved {
        Box::pin(pending())
    }
}

#[tokio::test(start_paused = true)]
async fn a_look_up_takes_no_longer_than_connecting_may() {
    let outbound =
        HttpOutbound::new(Options { resolver: Arc::new(Silent), connect_timeout: SHORT, ..Options::default() });
    let late = OutboundError::Timeout { during: Phase::Resolving, limit: SHORT };
    assert_eq!(outbound.post(post("http://silent.test/")).await, Err(late));
    let shorter = Post { timeout: SHORT / 2, ..post("http://silent.test/") };
    let error = outbound.post(shorter).await.unwrap_err();
    assert!(matches!(error, OutboundError::Timeout { .. }), "{error:?}");
}
