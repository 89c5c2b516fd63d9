use proptest::prelude::*;
use tungstenite::protocol::{Role, WebSocket};
use tungstenite::{Message as Theirs, protocol::CloseFrame};

use super::*;

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A frame as it stands on the wire, masked, with any head.
fn raw(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    frame::text(&mut out, Some(KEY), payload);
    out[0] = first;
    out
}

fn server(limit: usize) -> Decoder {
    Decoder::new(Side::Server, limit)
}

/// All that a decoder makes of these bytes.
fn all(decoder: &mut Decoder, bytes: &[u8]) -> Result<Vec<Incoming>, Violation> {
    let (mut input, mut all) = (bytes, Vec::new());
    while let Some(incoming) = decoder.read(&mut input)? {
        all.push(incoming);
    }
    assert!(input.is_empty());
    Ok(all)
}

fn refused(bytes: &[u8]) -> u16 {
    all(&mut server(1000), bytes).unwrap_err().code().0
}

#[test]
fn messages_come_whole_however_they_are_sent() {
    let text = |text: &str| Incoming::Text(text.to_owned());
    let ping = Incoming::Ping(b"x".to_vec());
    let bytes = [
        raw(0x81, b"one"),
        raw(0x01, b"t"),
        raw(0x89, b"x"),
        raw(0x00, b"w"),
        raw(0x8a, b""),
        raw(0x80, b"o"),
        raw(0x81, b""),
        raw(0x81, "é".repeat(200).as_bytes()),
    ]
    .concat();
    let expected = [text("one"), ping, Incoming::Pong, text("two"), text(""), text(&"é".repeat(200))];
    assert_eq!(all(&mut server(1000), &bytes).unwrap(), expected);

    let mut decoder = server(1000);
    let bytewise: Vec<Incoming> =
        bytes.iter().flat_map(|byte| all(&mut decoder, std::slice::from_ref(byte)).unwrap()).collect();
    assert_eq!(bytewise, expected);
    assert!(!decoder.is_amid() && decoder.held() == 0);
}

#[test]
fn a_character_may_be_cut_by_fragments() {
    let bytes = [raw(0x01, b"\xc3"), raw(0x80, b"\xa9")].concat();
    assert_eq!(all(&mut server(10), &bytes).unwrap(), [Incoming::Text("é".to_owned())]);
}

#[test]
fn what_is_not_allowed_has_its_code() {
    let mut long_form = raw(0x81, &[b'x'; 126]);
    long_form[3] = 125;
    let mut too_long_form = raw(0x81, &vec![b'x'; 65_536]);
    too_long_form[2..10].copy_from_slice(&65_535u64.to_be_bytes());
    let mut negative = raw(0x81, &vec![b'x'; 65_536]);
    negative[2] = 0x80;
    for (what, bytes, code) in [
        ("unmasked", b"\x81\x01x".to_vec(), 1002),
        ("reserved bit 1", raw(0xc1, b"x"), 1002),
        ("reserved bit 3", raw(0x91, b"x"), 1002),
        ("reserved data", raw(0x83, b"x"), 1002),
        ("reserved control", raw(0x8b, b"x"), 1002),
        ("continued nothing", raw(0x80, b"x"), 1002),
        ("begun twice", [raw(0x01, b"x"), raw(0x81, b"x")].concat(), 1002),
        ("fragmented ping", raw(0x09, b""), 1002),
        ("large ping", raw(0x89, &[0; 126]), 1002),
        ("half a code", raw(0x88, b"\x03"), 1002),
        ("code for nobody", raw(0x88, &1005u16.to_be_bytes()), 1002),
        ("long form", long_form, 1002),
        ("longer form", too_long_form, 1002),
        ("negative length", negative, 1002),
        ("binary", raw(0x82, b"x"), 1003),
        ("no UTF-8", raw(0x81, b"\xff"), 1007),
        ("no UTF-8 in a reason", raw(0x88, b"\x03\xe8\xff"), 1007),
        ("too large", raw(0x81, &[b'x'; 1001]), 1009),
        ("too large together", [raw(0x01, &[b'x'; 1000]), raw(0x80, b"x")].concat(), 1009),
        ("largest length", [&[0x81, 0xff, 0x7f][..], &[0xff; 7], &KEY].concat(), 1009),
    ] {
        assert_eq!(refused(&bytes), code, "{what}");
    }
    let masked_by_a_server = all(&mut Decoder::new(Side::Client, 10), &raw(0x81, b"x"));
    assert_eq!(masked_by_a_server.unwrap_err().code(), CloseCode::PROTOCOL_ERROR);
}

#[test]
fn limits_hold_at_their_edges() {
    assert_eq!(all(&mut server(1000), &raw(0x81, &[b'x'; 1000])).unwrap().len(), 1);
    let halves = [raw(0x01, &[b'x'; 500]), raw(0x80, &[b'x'; 500])].concat();
    assert_eq!(all(&mut server(1000), &halves).unwrap().len(), 1);
    assert_eq!(all(&mut server(1000), &raw(0x89, &[0; 125])).unwrap().len(), 1);
    let fragments = |count: usize| [raw(0x01, b""), raw(0x00, b"").repeat(count - 2), raw(0x80, b"")].concat();
    assert_eq!(all(&mut server(10), &fragments(FRAGMENTS as usize)).unwrap().len(), 1);
    assert_eq!(refused(&fragments(FRAGMENTS as usize + 1)), 1008);
}

#[test]
fn a_length_that_is_only_announced_takes_no_memory() {
    let mut decoder = server(1 << 30);
    assert_eq!(all(&mut decoder, &[&[0x81, 0xff, 0, 0, 0, 0][..], &[0x3f; 4], &KEY, b"x"].concat()).unwrap(), []);
    let message = decoder.message.as_ref().unwrap();
    assert!(decoder.is_amid() && decoder.held() == 1 && message.bytes.capacity() <= 2 * AHEAD);
}

#[test]
fn a_close_says_why() {
    let close = |payload: &[u8]| all(&mut server(10), &raw(0x88, payload)).unwrap();
    assert_eq!(close(b""), [Incoming::Close(None)]);
    let why = Close { code: CloseCode::GOING_AWAY, reason: "é".to_owned() };
    assert_eq!(close(b"\x03\xe9\xc3\xa9"), [Incoming::Close(Some(why))]);
}

#[test]
fn another_implementation_reads_and_writes_the_same() {
    let mut out = Vec::new();
    frame::text(&mut out, None, "é".repeat(40_000).as_bytes());
    frame::ping(&mut out, None);
    frame::close(&mut out, None, Some(&Close { code: CloseCode::RESTART, reason: "soon".to_owned() }));
    let mut client = WebSocket::from_raw_socket(std::io::Cursor::new(out), Role::Client, None);
    assert_eq!(client.read().unwrap(), Theirs::text("é".repeat(40_000)));
    assert_eq!(client.read().unwrap(), Theirs::Ping(Vec::new().into()));
    let why = CloseFrame { code: 1012.into(), reason: "soon".into() };
    assert_eq!(client.read().unwrap(), Theirs::Close(Some(why)));

    let mut client = WebSocket::from_raw_socket(std::io::Cursor::new(Vec::new()), Role::Client, None);
    client.write(Theirs::text("x".repeat(70_000))).unwrap();
    client.write(Theirs::Ping(b"p".to_vec().into())).unwrap();
    client.close(None).unwrap();
    let bytes = client.get_ref().get_ref().clone();
    let expected = [Incoming::Text("x".repeat(70_000)), Incoming::Ping(b"p".to_vec()), Incoming::Close(None)];
    assert_eq!(all(&mut server(70_000), &bytes).unwrap(), expected);
}

proptest! {
    #[test]
    fn nothing_that_is_read_does_harm(bytes in prop::collection::vec(any::<u8>(), 0..400), cut in 0usize..400) {
        let mut whole = server(64);
        let at_once = all(&mut whole, &bytes);
        let mut pieces = server(64);
        let (first, second) = bytes.split_at(cut.min(bytes.len()));
        let in_two = all(&mut pieces, first).and_then(|mut one| {
            one.extend(all(&mut pieces, second)?);
            Ok(one)
        });
        // Where the bytes are cut changes nothing.
        prop_assert_eq!(at_once, in_two);
        prop_assert!(pieces.held() <= 64);
    }

    #[test]
    fn what_is_written_is_read(texts in prop::collection::vec(".{0,300}", 1..5), mask in any::<[u8; 4]>(), cut in 1usize..50) {
        let mut bytes = Vec::new();
        texts.iter().for_each(|text| frame::text(&mut bytes, Some(mask), text.as_bytes()));
        let mut decoder = server(2000);
        let mut read = Vec::new();
        for piece in bytes.chunks(cut) {
            read.extend(all(&mut decoder, piece).unwrap());
        }
        let texts: Vec<Incoming> = texts.into_iter().map(Incoming::Text).collect();
        prop_assert_eq!(read, texts);
    }
}
