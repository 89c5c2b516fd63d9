//! The types of attributes (CloudEvents 1.0.2, section "Type System").

/// Whether an attribute may have this name: lower-case letters and digits of ASCII.
pub(crate) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

/// Whether a text is a String of the specification: no control characters, no noncharacters of Unicode.
pub(crate) fn is_string(text: &str) -> bool {
    text.chars().all(|char| {
        let is_noncharacter = matches!(char, '\u{fdd0}'..='\u{fdef}') || u32::from(char) & 0xfffe == 0xfffe;
        !char.is_control() && !is_noncharacter
    })
}

/// Whether a text is a URI or a reference to one (RFC 3986, section 4.1), and not empty. Its characters, its escapes and
/// its scheme are looked at.
pub(crate) fn is_uri_reference(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_good = |(at, byte): (usize, &u8)| match byte {
        b'%' => bytes.get(at + 1..at + 3).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)),
        byte => byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=".contains(byte),
    };
    let is_known = !bytes.is_empty() && bytes.iter().enumerate().all(is_good);
    let fragments = bytes.iter().filter(|byte| **byte == b'#').count();
    // A colon before any slash ends a scheme, or there must be none.
    let first = text.split(['/', '?', '#']).next().unwrap_or_default();
    let has_good_scheme = first.split_once(':').is_none_or(|(scheme, _)| is_scheme(scheme));
    is_known && fragments <= 1 && has_good_scheme
}

/// Whether a text is a URI with a scheme.
pub(crate) fn is_uri(text: &str) -> bool {
    is_uri_reference(text) && text.split_once(':').is_some_and(|(scheme, _)| is_scheme(scheme))
}

fn is_scheme(scheme: &str) -> bool {
    scheme.starts_with(|char: char| char.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

/// Whether a text is a media type with or without parameters (RFC 2046, in the characters of RFC 9110, section 8.3.1).
pub(crate) fn is_media_type(text: &str) -> bool {
    let is_token = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
    };
    let (essence, _) = text.split_once(';').unwrap_or((text, ""));
    let is_visible = text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    is_visible && essence.trim_end().split_once('/').is_some_and(|(kind, subtype)| is_token(kind) && is_token(subtype))
}

/// Whether a media type declares JSON (JSON event format, section 3.1.1): `*/json` or `*/*+json`.
pub(crate) fn is_json(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim_end().to_ascii_lowercase();
    essence.split_once('/').is_some_and(|(_, subtype)| subtype == "json" || subtype.ends_with("+json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_lower_case_letters_and_digits() {
        assert!(is_name("a") && is_name("9") && is_name("comexampleextension1"));
        for bad in ["", "A", "a_b", "a-b", "a.b", "ä", "a b"] {
            assert!(!is_name(bad), "{bad}");
        }
    }

    #[test]
    fn strings_have_no_control_characters_and_no_noncharacters() {
        assert!(is_string("") && is_string("Euro € \u{1f600} ~\u{a0}\u{fdcf}\u{fdf0}\u{fffd}"));
        for bad in ["\0", "\u{1f}", "\u{7f}", "\u{9f}", "\u{fdd0}", "\u{fdef}", "\u{fffe}", "\u{1ffff}", "\u{10fffe}"] {
            assert!(!is_string(bad), "{bad:?}");
        }
    }

    #[test]
    fn references_to_uris_are_told_from_what_only_looks_alike() {
        for good in [
            "/mycontext",
            "a",
            "?q",
            "#f",
            "https://example.com/x?y#z",
            "urn:uuid:6e8bc430-9c3a-11d9-9669-0800200c9a66",
            "mailto:cncf@lists.cncf.io",
            "1-555-123-4567",
            "./a:b",
            "/a%20b",
            "http://[::1]:80/",
            "//host",
            "/cloudevents/spec/pull/123",
        ] {
            assert!(is_uri_reference(good), "{good}");
        }
        for bad in
            ["", "a b", "/ä", "/%2", "/%zz", "/a#b#c", "1a:b", ":b", "a\"b", "<a>", "a\\b", "/{x}", "a^b", "a|b", "a\n"]
        {
            assert!(!is_uri_reference(bad), "{bad}");
        }
        assert!(is_uri("https://example.com/x") && is_uri("urn:x"));
        assert!(!is_uri("/x") && !is_uri("x/a:b") && !is_uri(""));
    }

    #[test]
    fn media_types_are_known_and_json_among_them() {
        for (text, json) in [
            ("application/json", true),
            ("TEXT/JSON", true),
            ("application/ld+json; charset=\"utf-8\"", true),
            ("application/cloudevents+json ;x=y", true),
            ("application/jsonx", false),
            ("application/json+xml", false),
            ("text/plain", false),
        ] {
            assert!(is_media_type(text), "{text}");
            assert_eq!(is_json(text), json, "{text}");
        }
        for bad in ["", "json", "/json", "a/", "a b/c", "a/b c", "a/b/c", "ä/b", "a/b;\n"] {
            assert!(!is_media_type(bad), "{bad}");
        }
    }
}
