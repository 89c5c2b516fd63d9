//! The request that opens a WebSocket (RFC 6455, sections 1.3 and 4.2).

use ackd_api::socket::PROTOCOL;
use ackd_api::{Code, Problem};
use ackd_websocket::handshake;
use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, Method, Response, StatusCode, Version};

use super::run;
use crate::call::{Call, Outcome};
use crate::outlet::Outlet;
use crate::problem::Rejection;
use crate::takeover::Run;

const WEBSOCKET: HeaderValue = HeaderValue::from_static("websocket");
const UPGRADE: HeaderValue = HeaderValue::from_static("Upgrade");
const VERSION: HeaderValue = HeaderValue::from_static(handshake::VERSION);

/// `GET /v1/ws`. Its `Host` and `Origin` are checked as those of every request, before it comes here: a browser lets any
/// page open a WebSocket to anywhere.
pub(crate) async fn open(mut call: Call) -> Outcome {
    call.no_body().await?;
    let key = agreed(call.method(), call.version(), call.headers())?;
    let accept = HeaderValue::try_from(handshake::accept(key))
        .map_err(|_| Rejection::new(Code::Internal, "the answer to the key is no header"))?;
    let run: Run = Box::new(|taken| Box::pin(run::run(taken)));
    let mut response = Response::new(Outlet::takeover(run));
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::UPGRADE, WEBSOCKET);
    headers.insert(header::CONNECTION, UPGRADE);
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(PROTOCOL));
    Ok(response)
}

/// The key of a request that opens a WebSocket as it is spoken here.
fn agreed<'h>(method: &Method, version: Version, headers: &'h HeaderMap) -> Result<&'h str, Rejection> {
    let upgrades = listed(headers, &header::UPGRADE, |it| handshake::lists(it, "websocket"))
        && listed(headers, &header::CONNECTION, |it| handshake::lists(it, "upgrade"));
    if *method != Method::GET || version < Version::HTTP_11 || !upgrades {
        return Err(upgrade_required("this address speaks WebSocket only; open one with the sub-protocol `ackd.v1`"));
    }
    if single(headers, &header::SEC_WEBSOCKET_VERSION)? != Some(handshake::VERSION) {
        return Err(upgrade_required("version 13 of the WebSocket protocol is spoken here (`Sec-WebSocket-Version`)"));
    }
    let key = single(headers, &header::SEC_WEBSOCKET_KEY)?.filter(|key| handshake::is_key(key));
    let key = key.ok_or_else(|| bad(&header::SEC_WEBSOCKET_KEY, "is missing, or is not 16 bytes in base64"))?;
    // Case counts in the name of a sub-protocol.
    let offers = |it: &str| it.split(',').any(|name| name.trim_matches([' ', '\t']) == PROTOCOL);
    if !listed(headers, &header::SEC_WEBSOCKET_PROTOCOL, offers) {
        return Err(bad(&header::SEC_WEBSOCKET_PROTOCOL, "does not offer `ackd.v1`, which is what is spoken here"));
    }
    Ok(key)
}

/// Whether one of a header's values, which together are one list, says something.
fn listed(headers: &HeaderMap, name: &HeaderName, says: impl Fn(&str) -> bool) -> bool {
    headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).any(says)
}

fn single<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h str>, Rejection> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().and_then(|value| value.to_str().ok());
    if values.next().is_some() { Err(bad(name, "is given twice")) } else { Ok(value.map(str::trim)) }
}

fn bad(name: &HeaderName, detail: &str) -> Rejection {
    Rejection::new(Code::InvalidRequest, format!("the header `{name}` {detail}"))
}

/// RFC 9110, section 15.5.22; RFC 6455, section 4.4.
fn upgrade_required(detail: &str) -> Rejection {
    let mut problem = Problem::new(Code::InvalidRequest, detail);
    problem.status = 426;
    Rejection::from(problem)
        .with(header::UPGRADE, WEBSOCKET)
        .with(header::CONNECTION, UPGRADE)
        .with(header::SEC_WEBSOCKET_VERSION, VERSION)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: [(&str, &str); 5] = [
        ("upgrade", "WebSocket"),
        ("connection", "keep-alive, Upgrade"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("sec-websocket-protocol", "chat, ackd.v1"),
    ];

    fn status(fields: &[(&str, &str)]) -> u16 {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(HeaderName::try_from(*name).unwrap(), HeaderValue::try_from(*value).unwrap());
        }
        agreed(&Method::GET, Version::HTTP_11, &headers).map_or_else(|rejection| rejection.problem.status, |_| 101)
    }

    #[test]
    fn what_is_needed_is_needed() {
        assert_eq!(status(&GOOD), 101);
        for (left_out, expected) in [(0, 426), (1, 426), (2, 426), (3, 400), (4, 400)] {
            let mut fields = GOOD.to_vec();
            fields.remove(left_out);
            assert_eq!(status(&fields), expected, "{:?}", GOOD[left_out]);
        }
    }

    #[test]
    fn other_words_are_refused() {
        for (at, value, expected) in [
            (0, "h2c", 426),
            (1, "close", 426),
            (2, "8", 426),
            (2, "13, 8", 426),
            (3, "c2hvcnQ=", 400),
            (3, "", 400),
            (4, "ackd.v2", 400),
            (4, "ACKD.V1", 400),
        ] {
            let mut fields = GOOD.to_vec();
            fields[at].1 = value;
            assert_eq!(status(&fields), expected, "{value}");
        }
        for at in [2, 3] {
            let mut fields = GOOD.to_vec();
            fields.push(GOOD[at]);
            assert_eq!(status(&fields), 400, "{:?} twice", GOOD[at]);
        }
        let mut headers = HeaderMap::new();
        headers.insert(header::UPGRADE, WEBSOCKET);
        assert!(agreed(&Method::HEAD, Version::HTTP_11, &headers).is_err());
    }
}
