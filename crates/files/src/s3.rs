//! Files on Amazon S3, and on what speaks as it does.

use std::str::FromStr;
use std::sync::Arc;

use object_store::aws::AmazonS3Builder;
use object_store::path::Path;

use crate::error::OpenError;
use crate::store::{Shared, Store};

/// The bytes of an upload that are sent at once, 8 MiB: S3 takes at least 5 MiB, and 10 000 parts of a file.
const PART: usize = 8 << 20;

/// Where files are kept on S3: `s3://bucket` or `s3://bucket/prefix`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Address {
    bucket: String,
    prefix: String,
}

impl FromStr for S3Address {
    type Err = OpenError;

    fn from_str(text: &str) -> Result<S3Address, OpenError> {
        let wrong = || OpenError::Address(text.to_owned());
        let rest = text.strip_prefix("s3://").ok_or_else(wrong)?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let is_of_bucket = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-');
        if !(3..=63).contains(&bucket.len()) || !bucket.bytes().all(is_of_bucket) || Path::parse(prefix).is_err() {
            return Err(wrong());
        }
        Ok(S3Address { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
    }
}

impl Store {
    /// The files of the server `owner` at `address`. Where S3 is and who asks it is read from `variables`, those of the AWS command
    /// line: `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_REGION`, `AWS_ENDPOINT_URL` and so on; others are passed over.
    ///
    /// # Errors
    /// [`OpenError`]. That the bucket is there is not asked.
    pub fn on_s3(
        address: &S3Address,
        owner: &str,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Store, OpenError> {
        // The library's HTTP client takes whichever the process has said, and panics where it has said none. Where it has said
        // one already, that will do.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let known = variables.into_iter().filter(|(name, _)| name.starts_with("AWS_"));
        let known = known.filter_map(|(name, value)| Some((name.to_ascii_lowercase().parse().ok()?, value)));
        let builder = known.fold(AmazonS3Builder::new(), |builder, (key, value)| builder.with_config(key, value));
        let s3 = Arc::new(builder.with_bucket_name(&address.bucket).build()?);
        let shared = Shared {
            objects: Arc::clone(&s3) as _,
            prefix: Path::parse(&address.prefix).map_err(object_store::Error::from)?.join(owner),
            part: PART,
            folder: None,
            signer: Some(s3),
        };
        Ok(Store { shared: Arc::new(shared) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_a_bucket_and_perhaps_a_prefix() {
        let address = |text: &str| text.parse::<S3Address>().map(|it| (it.bucket, it.prefix));
        assert_eq!(address("s3://files").unwrap(), ("files".to_owned(), String::new()));
        assert_eq!(address("s3://my.files-1/a/b").unwrap(), ("my.files-1".to_owned(), "a/b".to_owned()));
        for wrong in
            ["", "s3://", "s3:///a", "s3://ab", "s3://Files", "https://files", "s3://files/a//b", "s3://files/../b"]
        {
            assert!(matches!(address(wrong), Err(OpenError::Address(_))), "{wrong}");
        }
    }
}
