//! Changing some of a queue's settings: a JSON merge patch (RFC 7396).

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;

use crate::{Backoff, Duration, Faults, Problem, Push, QueueSettings, Rate, Request, number};

/// One field of a merge patch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Patch<T> {
    /// It is not in the patch: the setting stays as it is.
    #[default]
    Absent,
    /// It is null: the setting goes back to the server's default.
    Null,
    /// The setting takes this value.
    Value(T),
}

impl<T> Patch<T> {
    /// Whether the field is not in the patch; for `skip_serializing_if`.
    #[must_use]
    pub const fn is_absent(&self) -> bool {
        matches!(self, Patch::Absent)
    }

    /// The setting after the patch, that was `old` before it.
    pub fn merged(self, old: Option<T>) -> Option<T> {
        match self {
            Patch::Absent => old,
            Patch::Null => None,
            Patch::Value(value) => Some(value),
        }
    }

    /// As [`Patch::merged`], for a setting that is an object, of which the patch may hold a part.
    fn merged_with<U>(self, old: Option<U>, merge: impl FnOnce(T, Option<U>) -> Option<U>) -> Option<U> {
        match self {
            Patch::Absent => old,
            Patch::Null => None,
            Patch::Value(part) => merge(part, old),
        }
    }
}

impl<T> From<T> for Patch<T> {
    fn from(value: T) -> Patch<T> {
        Patch::Value(value)
    }
}

impl<T: Serialize> Serialize for Patch<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Patch::Absent | Patch::Null => serializer.serialize_none(),
            Patch::Value(value) => value.serialize(serializer),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Patch<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Patch<T>, D::Error> {
        Ok(Option::deserialize(deserializer)?.map_or(Patch::Null, Patch::Value))
    }
}

impl<T: JsonSchema> JsonSchema for Patch<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("{}Patch", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Option::<T>::json_schema(generator)
    }
}

/// The body of `PATCH /v1/queues/{q}`: the fields of [`QueueSettings`]. An absent one stays, null takes it back to the
/// default, and an object is merged into the one that is there.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct QueuePatch {
    /// See [`QueueSettings::lease_ttl`].
    #[serde(skip_serializing_if = "Patch::is_absent")]
    pub lease_ttl: Patch<Duration>,
    /// See [`QueueSettings::max_attempts`].
    #[serde(deserialize_with = "number::patch", skip_serializing_if = "Patch::is_absent")]
    pub max_attempts: Patch<u32>,
    /// See [`QueueSettings::backoff`].
    #[serde(skip_serializing_if = "Patch::is_absent")]
    pub backoff: Patch<BackoffPatch>,
    /// See [`QueueSettings::timeout`].
    #[serde(skip_serializing_if = "Patch::is_absent")]
    pub timeout: Patch<Duration>,
    /// See [`QueueSettings::concurrency`].
    #[serde(deserialize_with = "number::patch", skip_serializing_if = "Patch::is_absent")]
    pub concurrency: Patch<u32>,
    /// See [`QueueSettings::group_concurrency`].
    #[serde(deserialize_with = "number::patch", skip_serializing_if = "Patch::is_absent")]
    pub group_concurrency: Patch<u32>,
    /// See [`QueueSettings::rate`].
    #[serde(skip_serializing_if = "Patch::is_absent")]
    pub rate: Patch<RatePatch>,
    /// See [`QueueSettings::expires_in`].
    #[serde(skip_serializing_if = "Patch::is_absent")]
    pub expires_in: Patch<Duration>,
    /// See [`QueueSettings::result_retention`].
    #[serde(skip_serializing_if = "Patch::is_absent")]
    pub result_retention: Patch<Duration>,
    /// See [`QueueSettings::dead_letter`].
    #[serde(skip_serializing_if = "Patch::is_absent")]
    pub dead_letter: Patch<String>,
    /// See [`QueueSettings::push`].
    #[serde(skip_serializing_if = "Patch::is_absent")]
    pub push: Patch<PushPatch>,
}

impl Request<'_> for QueuePatch {
    /// Limits are checked on what the patch makes of the settings: see [`QueuePatch::apply`].
    fn check(&self, _: &mut Faults) {}
}

impl QueuePatch {
    /// The settings after the patch, that were `old` before it.
    ///
    /// # Errors
    /// An `invalid-request` that points at the settings which would break a limit, or would be incomplete.
    pub fn apply(self, old: &QueueSettings) -> Result<QueueSettings, Problem> {
        let old = old.clone();
        let mut faults = Faults::new();
        let settings = QueueSettings {
            lease_ttl: self.lease_ttl.merged(old.lease_ttl),
            max_attempts: self.max_attempts.merged(old.max_attempts),
            backoff: self.backoff.merged_with(old.backoff, |part, old| Some(part.merged(old))),
            timeout: self.timeout.merged(old.timeout),
            concurrency: self.concurrency.merged(old.concurrency),
            group_concurrency: self.group_concurrency.merged(old.group_concurrency),
            rate: self.rate.merged_with(old.rate, |part, old| part.merged(old, &mut faults)),
            expires_in: self.expires_in.merged(old.expires_in),
            result_retention: self.result_retention.merged(old.result_retention),
            dead_letter: self.dead_letter.merged(old.dead_letter),
            push: self.push.merged_with(old.push, |part, old| part.merged(old, &mut faults)),
        };
        settings.check(&mut faults);
        faults.into_result().map(|()| settings)
    }
}

/// A part of [`Backoff`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BackoffPatch {
    /// See [`Backoff::base`].
    #[serde(skip_serializing_if = "Patch::is_absent")]
    pub base: Patch<Duration>,
    /// See [`Backoff::factor`].
    #[serde(skip_serializing_if = "Patch::is_absent")]
    pub factor: Patch<f64>,
    /// See [`Backoff::max`].
    #[serde(skip_serializing_if = "Patch::is_absent")]
    pub max: Patch<Duration>,
    /// See [`Backoff::jitter`].
    #[serde(skip_serializing_if = "Patch::is_absent")]
    pub jitter: Patch<f64>,
}

impl BackoffPatch {
    pub(crate) fn merged(self, old: Option<Backoff>) -> Backoff {
        let old = old.unwrap_or_default();
        Backoff {
            base: self.base.merged(old.base),
            factor: self.factor.merged(old.factor),
            max: self.max.merged(old.max),
            jitter: self.jitter.merged(old.jitter),
        }
    }
}

/// A part of [`Rate`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RatePatch {
    /// See [`Rate::limit`].
    #[serde(deserialize_with = "number::patch", skip_serializing_if = "Patch::is_absent")]
    pub limit: Patch<u32>,
    /// See [`Rate::per`].
    #[serde(skip_serializing_if = "Patch::is_absent")]
    pub per: Patch<Duration>,
}

impl RatePatch {
    fn merged(self, old: Option<Rate>, faults: &mut Faults) -> Option<Rate> {
        let limit = self.limit.merged(old.map(|old| old.limit));
        let per = self.per.merged(old.map(|old| old.per));
        if limit.is_none() {
            faults.add("/rate/limit", "is missing");
        }
        if per.is_none() {
            faults.add("/rate/per", "is missing");
        }
        limit.zip(per).map(|(limit, per)| Rate { limit, per })
    }
}

/// A part of [`Push`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PushPatch {
    /// See [`Push::url`].
    #[serde(skip_serializing_if = "Patch::is_absent")]
    pub url: Patch<String>,
    /// See [`Push::concurrency`].
    #[serde(deserialize_with = "number::patch", skip_serializing_if = "Patch::is_absent")]
    pub concurrency: Patch<u32>,
    /// See [`Push::timeout`].
    #[serde(skip_serializing_if = "Patch::is_absent")]
    pub timeout: Patch<Duration>,
    /// See [`Push::is_async`].
    #[serde(rename = "async", skip_serializing_if = "Patch::is_absent")]
    pub is_async: Patch<bool>,
    /// See [`Push::fail_on`].
    #[serde(skip_serializing_if = "Patch::is_absent")]
    pub fail_on: Patch<Vec<u16>>,
}

impl PushPatch {
    fn merged(self, old: Option<Push>, faults: &mut Faults) -> Option<Push> {
        let url = old.as_ref().map(|old| old.url.clone());
        let Some(url) = self.url.merged(url) else {
            faults.add("/push/url", "is missing");
            return None;
        };
        let old = old.as_ref();
        Some(Push {
            url,
            concurrency: self.concurrency.merged(old.and_then(|old| old.concurrency)),
            timeout: self.timeout.merged(old.and_then(|old| old.timeout)),
            is_async: self.is_async.merged(old.map(|old| old.is_async)).unwrap_or_default(),
            fail_on: self.fail_on.merged(old.and_then(|old| old.fail_on.clone())),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse;

    fn patched(old: &str, patch: &str) -> Result<String, String> {
        let old = QueueSettings::parse(old.as_bytes()).unwrap();
        let patch: QueuePatch = parse(patch.as_bytes()).map_err(|problem| problem.errors[0].pointer.clone())?;
        let new = patch.apply(&old).map_err(|problem| problem.errors[0].pointer.clone())?;
        let value = serde_json::to_value(&new).unwrap();
        let set: serde_json::Map<_, _> =
            value.as_object().unwrap().clone().into_iter().filter(|(_, value)| !value.is_null()).collect();
        Ok(serde_json::to_string(&set).unwrap())
    }

    #[test]
    fn absent_null_and_value_are_told_apart() {
        let old = r#"{"lease_ttl":"1m","concurrency":4}"#;
        assert_eq!(patched(old, "{}").as_deref(), Ok(r#"{"concurrency":4,"lease_ttl":"1m"}"#));
        assert_eq!(patched(old, r#"{"concurrency":null}"#).as_deref(), Ok(r#"{"lease_ttl":"1m"}"#));
        assert_eq!(patched(old, r#"{"concurrency":5}"#).as_deref(), Ok(r#"{"concurrency":5,"lease_ttl":"1m"}"#));
    }

    #[test]
    fn objects_are_merged_field_by_field() {
        let old = r#"{"backoff":{"base":"1s","factor":3},"rate":{"limit":1,"per":"1s"},"push":{"url":"http://x","async":true}}"#;
        assert_eq!(
            patched(old, r#"{"backoff":{"base":"2s","factor":null},"rate":{"limit":2},"push":{"concurrency":3}}"#)
                .as_deref(),
            Ok(
                r#"{"backoff":{"base":"2s"},"push":{"async":true,"concurrency":3,"fail_on":null,"timeout":null,"url":"http://x"},"rate":{"limit":2,"per":"1s"}}"#
            )
        );
        assert_eq!(patched("{}", r#"{"backoff":{"jitter":0.5}}"#).as_deref(), Ok(r#"{"backoff":{"jitter":0.5}}"#));
        assert_eq!(patched(old, r#"{"rate":null,"push":null,"backoff":null}"#).as_deref(), Ok("{}"));
    }

    #[test]
    fn what_the_patch_makes_is_checked() {
        let old = r#"{"backoff":{"base":"1m"},"rate":{"limit":1,"per":"1s"}}"#;
        for (patch, pointer) in [
            (r#"{"backoff":{"max":"1s"}}"#, "/backoff/max"),
            (r#"{"rate":{"per":null}}"#, "/rate/per"),
            (r#"{"rate":{"limit":0}}"#, "/rate/limit"),
            (r#"{"push":{"async":true}}"#, "/push/url"),
            (r#"{"lease_tt":1}"#, "/lease_tt"),
            (r#"{"push":{"ur":1}}"#, "/push/ur"),
            (r#"{"lease_ttl":30}"#, "/lease_ttl"),
        ] {
            assert_eq!(patched(old, patch), Err(pointer.to_owned()), "{patch}");
        }
    }

    #[test]
    fn a_patch_is_written_as_it_was_read() {
        let text = r#"{"lease_ttl":null,"backoff":{"base":"1s","max":null},"concurrency":5}"#;
        let patch: QueuePatch = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&patch).unwrap(), text);
    }
}
