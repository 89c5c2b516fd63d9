//! The query of a request's address, read strictly: each parameter is one that the operation knows, and is given once.

use std::borrow::Cow;

use ackd_api::{Code, Duration, Faults, Problem};

/// The most parameters of a request.
const PARAMETERS: usize = 100;

/// The one parameter that may be given again and again, once for each value.
const REPEATED: &str = "job";

/// The decoded parameters of a request.
#[derive(Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads the query `text`, in which only the names that `known` holds may be.
    ///
    /// # Errors
    /// An `invalid-request` that names what is unknown, given twice, or no text.
    pub(crate) fn parse(text: Option<&str>, known: impl Fn(&str) -> bool) -> Result<Query, Problem> {
        let mut query = Query::default();
        let mut faults = Faults::new();
        for (at, pair) in text.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()).enumerate() {
            if at == PARAMETERS {
                let detail = format!("there are more than {PARAMETERS} query parameters");
                return Err(Problem::new(Code::InvalidRequest, detail));
            }
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let shown = decoded(name).unwrap_or(Cow::Borrowed(name));
            match (decoded(name), decoded(value)) {
                (Some(name), _) if !known(&name) => {
                    faults.add(&pointer(&shown), "is not a query parameter that is known here");
                }
                (Some(name), Some(_)) if name != REPEATED && query.get(&name).is_some() => {
                    faults.add(&pointer(&shown), "is given twice; several values are separated by commas");
                }
                (Some(name), Some(value)) => query.0.push((name.into_owned(), value.into_owned())),
                _ => faults.add(&pointer(&shown), "is not percent-encoded UTF-8"),
            }
        }
        faults.into_result().map(|()| query)
    }

    /// The value of a parameter.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(it, _)| it == name).map(|(_, value)| value.as_str())
    }

    /// The values of a parameter that are separated by commas.
    pub(crate) fn list(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(it, _)| it == name).flat_map(|(_, value)| value.split(','))
    }

    /// A duration; a bare number is seconds.
    pub(crate) fn duration(&self, name: &str) -> Result<Option<Duration>, Problem> {
        self.read(name, |value| Duration::parse_query(value).map_err(|error| error.to_string()))
    }

    /// The query of these decoded pairs, each of a name of its own.
    ///
    /// # Errors
    /// An `invalid-request` that names what is unknown.
    pub(crate) fn of(
        pairs: impl Iterator<Item = (String, String)>,
        known: impl Fn(&str) -> bool,
    ) -> Result<Query, Problem> {
        let (mut query, mut faults) = (Query::default(), Faults::new());
        for (name, value) in pairs {
            if known(&name) {
                query.0.push((name, value));
            } else {
                faults.add(&pointer(&name), "is not a field that is known here");
            }
        }
        faults.into_result().map(|()| query)
    }

    /// A flag: `true` or `false`.
    pub(crate) fn flag(&self, name: &str) -> Result<bool, Problem> {
        let flag = self.read(name, |value| value.parse().map_err(|_| "must be true or false".to_owned()))?;
        Ok(flag.unwrap_or(false))
    }

    /// A value that `read` understands, or says why not.
    pub(crate) fn read<T>(
        &self,
        name: &str,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<Option<T>, Problem> {
        self.get(name).map(|value| read(value).map_err(|detail| Problem::at(pointer(name), detail))).transpose()
    }

    /// Every pair, as it was given.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
        self.0.iter().map(|(name, value)| (name.as_str().into(), value.as_str().into()))
    }
}

/// The JSON pointer of a parameter.
pub(crate) fn pointer(name: &str) -> String {
    // A name that is unknown may have any length.
    let name: String = name.chars().take(100).collect();
    format!("/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// `text` without its percent-encoding and with its spaces; `None` where it is none, or no UTF-8.
fn decoded(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains(['%', '+']) {
        return Some(Cow::Borrowed(text));
    }
    unescaped(text, true).map(Cow::Owned)
}

/// A segment of a path without its percent-encoding; `None` where it is none, or no UTF-8.
pub(crate) fn segment(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('%') {
        return Some(Cow::Borrowed(text));
    }
    unescaped(text, false).map(Cow::Owned)
}

fn unescaped(text: &str, plus_is_space: bool) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        match first {
            b'%' => {
                let [high, low, tail @ ..] = rest else { return None };
                bytes.push(hex(*high)? << 4 | hex(*low)?);
                rest = tail;
            }
            b'+' if plus_is_space => bytes.push(b' '),
            byte => bytes.push(*byte),
        }
    }
    String::from_utf8(bytes).ok()
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Query, Problem> {
        Query::parse(Some(text), |name| ["a", "b", "ä"].contains(&name))
    }

    #[test]
    fn values_are_decoded() {
        let query = parse("a=x%20y+z%2B&&b&%C3%A4=%e2%82%ac,1").unwrap();
        assert_eq!(query.get("a"), Some("x y z+"));
        assert_eq!(query.get("b"), Some(""));
        assert_eq!(query.list("ä").collect::<Vec<_>>(), ["€", "1"]);
        assert_eq!(query.list("c").count(), 0);
        assert!(Query::parse(None, |_| false).is_ok());
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, pointer) in [
            ("c=1", "/c"),
            ("a=1&a=2", "/a"),
            ("a=%", "/a"),
            ("a=%4", "/a"),
            ("a=%zz", "/a"),
            ("a=%ff", "/a"),
            ("%ff=1", "/%ff"),
            ("c~/=1", "/c~0~1"),
        ] {
            assert_eq!(parse(text).unwrap_err().errors[0].pointer, pointer, "{text}");
        }
    }

    #[test]
    fn there_are_a_hundred_parameters_at_most() {
        let parse = |count: usize| {
            let text: Vec<String> = (0..count).map(|at| format!("p{at}=1")).collect();
            Query::parse(Some(&text.join("&")), |_| true)
        };
        assert!(parse(PARAMETERS).is_ok());
        assert!(parse(PARAMETERS + 1).unwrap_err().detail.contains("100 query parameters"));
    }

    #[test]
    fn a_path_s_plus_is_a_plus() {
        assert_eq!(segment("a+b%2Fc").as_deref(), Some("a+b/c"));
        assert_eq!(segment("a%"), None);
    }
}
