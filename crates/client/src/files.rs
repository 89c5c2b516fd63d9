//! Files of any size: uploaded, downloaded, and as payloads and results.

use std::time::Duration;

use ackd_api::{FileDocument, Settled};
use http::Method;

use crate::address::Path;
use crate::jobs::job_path;
use crate::leases::lease_path;
use crate::transport::Call;
use crate::{Client, Download, Error, Upload};

impl Client {
    /// Uploads a file under a name, whatever had that name before. Once this returns it is durable, and
    /// [`crate::Submission::payload_file`] makes it a job's payload. It is kept for `expires_in`, by default 24 hours,
    /// and as long as a job refers to it.
    ///
    /// # Errors
    /// See [`Error`]; [`Error::Local`] where the source cannot be read. Then nothing of it is kept.
    pub async fn put_file(
        &self,
        name: &str,
        upload: Upload,
        expires_in: Option<Duration>,
    ) -> Result<FileDocument<'static>, Error> {
        let expires_in = expires_in.map(|time| ackd_api::Duration::new(time).to_string());
        let path = file_path(name).query_option("expires_in", expires_in.as_deref());
        self.transport.upload(Call::new(Method::PUT, path), upload).await?.json()
    }

    /// Downloads a file.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn file(&self, name: &str) -> Result<Download, Error> {
        self.transport.download(Call::get(file_path(name))).await
    }

    /// Deletes a file's name, and the file once no job refers to it.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn delete_file(&self, name: &str) -> Result<(), Error> {
        self.transport.send(Call::new(Method::DELETE, file_path(name))).await.map(drop)
    }

    /// A job's payload of any size.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn payload_stream(&self, id: &str) -> Result<Download, Error> {
        self.transport.download(Call::get(job_path(id).segment("payload"))).await
    }

    /// The same, begun again while the server is away, for the client's patience.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn persistent_payload_stream(&self, id: &str) -> Result<Download, Error> {
        let mut persistence = self.persistence();
        loop {
            match self.payload_stream(id).await {
                Ok(download) => return Ok(download),
                Err(error) => persistence.failed(error).await?,
            }
        }
    }

    /// The result of a job that is done, of any size.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn result_stream(&self, id: &str) -> Result<Download, Error> {
        self.transport.download(Call::get(job_path(id).segment("result"))).await
    }

    /// Ends a lease: the job is done, with a result of any size. It needs heartbeats where it takes longer than the
    /// lease.
    ///
    /// # Errors
    /// See [`Error`]; [`ackd_api::Code::LeaseLost`] if it is not this worker's any more.
    pub async fn complete_upload(&self, lease: &str, result: Upload) -> Result<Settled<'static>, Error> {
        self.transport.upload(Call::post(lease_path(lease, "result")), result).await?.json()
    }
}

fn file_path(name: &str) -> Path {
    Path::new("/v1/files").segment(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Server;
    use std::io;

    const FILE: &str = r#"{"file":"f","size":5,"content_type":"a/b","expires_at":"2026-11-20T10:00:00.000Z"}"#;

    #[tokio::test]
    async fn files_are_uploaded_downloaded_and_deleted() {
        let (mut server, client) = Server::memory();
        let calls = tokio::spawn(async move {
            let upload = Upload::stream(&b"hello and more"[..]).length(5).content_type("a/b");
            let file = client.put_file("f", upload, Some(Duration::from_secs(60))).await.unwrap();
            assert_eq!((file.file.as_ref(), file.size), ("f", 5));
            let download = client.file("f").await.unwrap();
            assert_eq!((download.content_type(), download.size()), ("a/b", Some(5)));
            let mut bytes = Vec::new();
            assert_eq!(download.write_to(&mut bytes).await.unwrap(), 5);
            assert_eq!(bytes, b"hello");
            client.delete_file("f").await.unwrap();
        });
        let put = server.expect("PUT /v1/files/f?expires_in=1m").await;
        assert_eq!((put.header("content-type"), put.text()), (Some("a/b"), "hello"));
        put.answer(201, FILE);
        let get = server.expect("GET /v1/files/f").await;
        assert_eq!(get.header("ackd-links"), Some("no"), "it follows no redirect");
        get.answer_with(200, &[("content-type", "a/b")], "hello");
        server.expect("DELETE /v1/files/f").await.answer(204, "");
        calls.await.unwrap();
    }

    /// Gives some bytes, and then fails.
    struct Broken(bool);

    impl io::Read for Broken {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if std::mem::replace(&mut self.0, true) {
                return Err(io::Error::other("the disk is broken"));
            }
            buffer[0] = b'x';
            Ok(1)
        }
    }

    #[tokio::test]
    async fn a_source_that_fails_or_is_too_short_is_not_uploaded() {
        let (mut server, client) = Server::memory();
        let error = client.put_file("f", Upload::read(Broken(false)).length(2), None).await.unwrap_err();
        assert!(matches!(&error, Error::Local(error) if error.to_string() == "the disk is broken"), "{error}");
        assert!(!error.is_transient());
        let error = client.put_file("f", Upload::read(&b"1234"[..]).length(5), None).await.unwrap_err();
        let is_short = |error: &io::Error| error.kind() == io::ErrorKind::UnexpectedEof;
        assert!(matches!(&error, Error::Local(error) if is_short(error)), "{error}");
        assert!(server.is_quiet());
    }

    #[tokio::test(start_paused = true)]
    async fn a_source_that_stalls_ends_the_upload() {
        let (_server, client) = Server::memory();
        let (_near, far) = tokio::io::duplex(1);
        let error = client.put_file("f", Upload::stream(far), None).await.unwrap_err();
        assert!(matches!(error, Error::Timeout(_)), "{error}");
    }

    #[tokio::test]
    async fn a_download_that_breaks_off_is_told() {
        let (mut server, client) = Server::memory();
        let download = tokio::spawn(async move {
            let mut download = client.payload_stream("a").await.unwrap();
            while let Some(bytes) = download.next().await? {
                assert_eq!(bytes, "hi");
            }
            Ok(())
        });
        // It said that five bytes follow, and then the connection is closed.
        let request = server.expect("GET /v1/jobs/a/payload").await;
        request.stream_of(5).send(b"hi".to_vec()).await.unwrap();
        assert!(matches!(download.await.unwrap(), Err(Error::Unreachable(_))));
    }
}
