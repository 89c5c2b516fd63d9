//! In which form a client would have a job (RFC 9110, section 12.5.1).

use ackd_api::cloud_event;
use http::header::{self, HeaderMap};

/// The forms of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// The document, which is what most want and whoever says nothing gets.
    Document,
    /// A CloudEvent with the document in it.
    CloudEvent,
}

impl Form {
    pub(crate) const fn media_type(self) -> &'static str {
        match self {
            Form::Document => ackd_domain::JSON,
            Form::CloudEvent => cloud_event::MEDIA_TYPE,
        }
    }
}

/// The form that `Accept` prefers. The document is given where it is as good, and where neither is wanted: an answer
/// that a client did not think of helps it more than none.
pub(crate) fn form(headers: &HeaderMap) -> Form {
    let of = |form: Form| quality(headers, form.media_type());
    if of(Form::CloudEvent) > of(Form::Document) { Form::CloudEvent } else { Form::Document }
}

/// What a media type is worth to the client, in thousandths: as the range says that names it most closely. Ranges that
/// cannot be read are passed over, for common clients send some (`*; q=.2`).
fn quality(headers: &HeaderMap, media_type: &str) -> u16 {
    let mut best = (0, 0);
    for value in headers.get_all(header::ACCEPT) {
        for range in value.to_str().unwrap_or_default().split(',') {
            let mut parts = range.split(';');
            let closeness = closeness(parts.next().unwrap_or_default().trim(), media_type);
            let weight = parts.find_map(|part| {
                let (name, value) = part.split_once('=')?;
                name.trim().eq_ignore_ascii_case("q").then(|| thousandths(value.trim()))
            });
            if let (1.., Some(weight)) = (closeness, weight.unwrap_or(Some(1000))) {
                best = best.max((closeness, weight));
            }
        }
    }
    best.1
}

/// How closely a range names a media type; 0: not at all.
fn closeness(range: &str, media_type: &str) -> u8 {
    let (kind, _) = media_type.split_once('/').unwrap_or_default();
    match range.split_once('/') {
        Some(("*", "*")) => 1,
        Some((of_kind, "*")) if of_kind.eq_ignore_ascii_case(kind) => 2,
        _ if range.eq_ignore_ascii_case(media_type) => 3,
        _ => 0,
    }
}

/// A weight (RFC 9110, section 12.4.2): 0 to 1 with up to three decimals.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let is_digits = decimals.len() <= 3 && decimals.bytes().all(|byte| byte.is_ascii_digit());
    let decimals: u16 = if is_digits { format!("{decimals:0<3}").parse().ok()? } else { return None };
    match (whole, decimals) {
        ("0", decimals) => Some(decimals),
        ("1", 0) => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn the_form_that_is_worth_most_is_given() {
        for (accept, form) in [
            (&[][..], Form::Document),
            (&["*/*"], Form::Document),
            (&["application/*"], Form::Document),
            (&["text/html"], Form::Document),
            (&["application/json"], Form::Document),
            (&["application/cloudevents+json"], Form::CloudEvent),
            (&["Application/CloudEvents+JSON; charset=utf-8"], Form::CloudEvent),
            (&["application/cloudevents+json, application/json"], Form::Document),
            (&["application/cloudevents+json, */*;q=0.1"], Form::CloudEvent),
            (&["application/cloudevents+json;q=0.5, application/json;q=0.4"], Form::CloudEvent),
            (&["application/cloudevents+json;q=0.4, application/json;q=0.5"], Form::Document),
            (&["application/cloudevents+json;q=0.001, application/json;q=0"], Form::CloudEvent),
            (&["application/cloudevents+json;q=0"], Form::Document),
            (&["application/cloudevents+json;q=0, */*"], Form::Document),
            // The closest range counts, not the best.
            (&["application/json;q=0.1, application/*;q=0.5"], Form::CloudEvent),
            (&["application/*;q=0.1, */*;q=0.9, application/json;q=0"], Form::CloudEvent),
            (&["application/json;q=0.1", "application/cloudevents+json;Q=1.000"], Form::CloudEvent),
            // What cannot be read is passed over.
            (&["application/cloudevents+json;q=high"], Form::Document),
            (&["application/cloudevents+json;q=1.001"], Form::Document),
            (&["application/cloudevents+json;q=0.1234"], Form::Document),
            (&["text/html, image/gif, *; q=.2, */*; q=.2, application/cloudevents+json"], Form::CloudEvent),
            (&["", ",", ";q=1", "application/"], Form::Document),
        ] {
            let mut headers = HeaderMap::new();
            for value in accept {
                headers.append(header::ACCEPT, HeaderValue::from_static(value));
            }
            assert_eq!(self::form(&headers), form, "{accept:?}");
        }
    }
}
