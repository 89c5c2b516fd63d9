use std::borrow::Cow;
use std::sync::Arc;

use ackd_domain::{FlowPart, Predecessor};
use serde::{Deserialize, Serialize};

use super::Unreadable;

/// A job that another comes after, in JSON.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredPredecessor<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none", borrow)]
    key: Option<Cow<'a, str>>,
}

/// A job's place in a flow, in JSON.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredFlowPart<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    size: u32,
    #[serde(borrow)]
    key: Cow<'a, str>,
}

impl StoredPredecessor<'_> {
    pub(super) fn of(predecessor: &Predecessor) -> StoredPredecessor<'_> {
        let key = predecessor.key.as_deref().map(Cow::Borrowed);
        StoredPredecessor { id: Cow::Owned(predecessor.id.to_string()), key }
    }

    pub(super) fn get(&self) -> Result<Predecessor, Unreadable> {
        let id = self.id.parse().map_err(|_| Unreadable)?;
        Ok(Predecessor { id, key: self.key.as_deref().map(Arc::from) })
    }
}

impl StoredFlowPart<'_> {
    pub(super) fn of(part: &FlowPart) -> StoredFlowPart<'_> {
        StoredFlowPart { id: Cow::Owned(part.id.to_string()), size: part.size, key: Cow::Borrowed(&part.key) }
    }

    pub(super) fn get(&self) -> Result<FlowPart, Unreadable> {
        Ok(FlowPart { id: self.id.parse().map_err(|_| Unreadable)?, size: self.size, key: Arc::from(&*self.key) })
    }
}
