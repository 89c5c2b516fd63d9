use std::sync::Arc;

/// A client's promise that two requests with the same key are the same request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// The key as the client wrote it, 1 to [`crate::limits::KEY_BYTES`] bytes.
    pub text: Arc<str>,
    /// A fingerprint of the whole request but its key and `traceparent`; two requests with one key
    /// and different fingerprints are a mistake of the client's.
    pub fingerprint: u128,
}
