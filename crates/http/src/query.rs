//! The query of a request's address, read strictly: each parameter is one that the operation knows, and is given once.

use std::borrow::Cow;

use ackd_api::{Code, Duration, Faults, Problem};

/// The most parameters of a request.
const PARAMETERS: usize = 100;

/// How a parameter takes its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Values {
    /// It has one.
    One,
    /// It has any number, with commas between them.
    List,
    /// It has any number, and may also be given again for each.
    Each,
}

/// The decoded parameters of a request.
#[derive(Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads the query `text`, in which only the names may be of which `values` says how they take theirs.
    ///
    /// # Errors
    /// An `invalid-request` that names what is unknown, given twice, or no text.
    pub(crate) fn parse(text: Option<&str>, values: impl Fn(&str) -> Option<Values>) -> Result<Query, Problem> {
        let mut query = Query::default();
        let mut faults = Faults::new();
        for (at, pair) in text.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()).enumerate() {
            if at == PARAMETERS {
                let detail = format!("there are more than {PARAMETERS} query parameters");
                return Err(Problem::new(Code::InvalidRequest, detail));
            }
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let shown = decoded(name).unwrap_or(Cow::Borrowed(name));
            let (Some(name), value) = (decoded(name), decoded(value)) else {
                faults.add(&pointer(&shown), "is not percent-encoded UTF-8");
                continue;
            };
            let is_given = query.get(&name).is_some();
            let fault = match (values(&name), value) {
                (None, _) => "is not a query parameter that is known here",
                (_, None) => "is not percent-encoded UTF-8",
                (Some(Values::One), _) if is_given => "is given twice, and has one value only",
                (Some(Values::List), _) if is_given => "is given twice; several values are separated by commas",
                (Some(_), Some(value)) => {
                    query.0.push((name.into_owned(), value.into_owned()));
                    continue;
                }
            };
            faults.add(&pointer(&shown), fault);
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

    /// The query of these decoded pairs, each of a name of its own that is known.
    pub(crate) fn of(pairs: impl Iterator<Item = (String, String)>) -> Query {
        Query(pairs.collect())
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
        Query::parse(Some(text), |name| match name {
            "a" | "b" => Some(Values::One),
            "ä" => Some(Values::List),
            "c" => Some(Values::Each),
            _ => None,
        })
    }

    #[test]
    fn values_are_decoded() {
        let query = parse("a=x%20y+z%2B&&b&%C3%A4=%e2%82%ac,1").unwrap();
        assert_eq!(query.get("a"), Some("x y z+"));
        assert_eq!(query.get("b"), Some(""));
        assert_eq!(query.list("ä").collect::<Vec<_>>(), ["€", "1"]);
        assert_eq!(query.list("c").count(), 0);
        assert!(Query::parse(None, |_| None).is_ok());
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, pointer) in [
            ("d=1", "/d"),
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
    fn only_of_a_list_it_is_said_that_commas_separate() {
        let refused = |text: &str| parse(text).unwrap_err().detail.clone();
        assert_eq!(refused("a=1&b=1&a=1"), "`/a` is given twice, and has one value only");
        assert_eq!(refused("ä=1&%C3%A4=2"), "`/ä` is given twice; several values are separated by commas");
        assert_eq!(parse("c=1&c=2,3").unwrap().list("c").collect::<Vec<_>>(), ["1", "2", "3"]);
    }

    #[test]
    fn there_are_a_hundred_parameters_at_most() {
        let parse = |count: usize| {
            let text: Vec<String> = (0..count).map(|at| format!("p{at}=1")).collect();
            Query::parse(Some(&text.join("&")), |_| Some(Values::One))
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
