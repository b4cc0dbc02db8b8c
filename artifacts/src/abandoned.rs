//! Uploads in parts that were begun in an S3 bucket and never ended, as a killed process leaves them: nobody can read their parts, and the bucket's owner pays for them.
//! `object_store` neither lists them nor knows how old they are, so they are asked for by a request of our own under its signature. Azure forgets such parts by itself, and for
//! Google's stores a rule of the bucket does it. Which of them are too young to go is decided by the sweep.

use crate::error::{Result, StoreError};
use hyper::Request;
use object_store::aws::AmazonS3;
use object_store::client::{HttpClient, HttpRequestBody};
use object_store::multipart::MultipartStore as _;
use object_store::path::Path as ObjectPath;
use object_store::signer::{SignedUrlOptions, Signer as _};
use reqwest::Method;
use serde::Deserialize;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

/// How long a signature holds.
const SIGNED_FOR: Duration = Duration::from_mins(5);
/// Most pages of a list that are asked for, each of a thousand: the next sweep finds the rest.
const PAGES_MAX: usize = 100;
/// The parameter that asks for uploads.
const UPLOADS: &str = "uploads";

/// A bucket that can say which uploads are not ended.
#[derive(Debug)]
pub(crate) struct Bucket {
    store: Arc<AmazonS3>,
    client: HttpClient,
    /// Where in the bucket the store is.
    prefix: ObjectPath,
}

/// An upload that was begun and not ended.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Upload {
    key: String,
    #[serde(rename = "UploadId")]
    id: String,
    /// When it was begun.
    pub(crate) initiated: jiff::Timestamp,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Page {
    #[serde(default)]
    is_truncated: bool,
    #[serde(default)]
    next_key_marker: String,
    #[serde(default)]
    next_upload_id_marker: String,
    #[serde(default, rename = "Upload")]
    uploads: Vec<Upload>,
}

impl Bucket {
    /// The bucket of this store, reached by the store's own client.
    pub(crate) fn new(store: Arc<AmazonS3>, client: HttpClient, prefix: ObjectPath) -> Self {
        Self {
            store,
            client,
            prefix,
        }
    }

    /// The uploads below this folder of the store.
    ///
    /// # Errors
    /// When the store does not say, as some that speak S3 do not, and as those do that give us no right to ask.
    pub(crate) async fn uploads(&self, folder: &str) -> Result<Vec<Upload>> {
        let below = self.prefix.clone().join(folder);
        let mut all = Vec::new();
        let mut after = Page::default();
        for _ in 0..PAGES_MAX {
            let page = self
                .page(&below, &after)
                .await
                .map_err(|source| failed(&below, source))?;
            let found = page.uploads.iter();
            // Some list more than they were asked for.
            all.extend(found.filter(|upload| is_below(&upload.key, &below)).cloned());
            if !page.is_truncated {
                break;
            }
            after = page;
        }
        Ok(all)
    }

    /// Ends an upload for good.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn abort(&self, upload: &Upload) -> Result<()> {
        let key = ObjectPath::from(upload.key.as_str());
        match self.store.abort_multipart(&key, &upload.id).await {
            // Somebody ended it meanwhile, well or not.
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(StoreError::backend("end an upload to", &key, error)),
        }
    }

    async fn page(&self, below: &ObjectPath, after: &Page) -> Result<Page, Box<dyn Error + Send + Sync>> {
        let prefix = format!("{below}/");
        let mut query = vec![(UPLOADS, ""), ("prefix", &prefix)];
        if !after.next_key_marker.is_empty() {
            query.push(("key-marker", &after.next_key_marker));
            query.push(("upload-id-marker", &after.next_upload_id_marker));
        }
        let options = SignedUrlOptions::new().with_query(query);
        let bucket = ObjectPath::default();
        let signed = self
            .store
            .signed_url_opts(Method::GET, &bucket, SIGNED_FOR, &options);
        let request = Request::get(signed.await?.as_str()).body(HttpRequestBody::empty())?;
        let answer = self.client.execute(request).await?;
        let status = answer.status();
        let body = answer.into_body().bytes().await?;
        if !status.is_success() {
            return Err(format!("the store answers {status}").into());
        }
        read(&body)
    }
}

fn read(body: &[u8]) -> Result<Page, Box<dyn Error + Send + Sync>> {
    Ok(quick_xml::de::from_reader(body)?)
}

fn is_below(key: &str, folder: &ObjectPath) -> bool {
    key.strip_prefix(folder.as_ref())
        .is_some_and(|rest| rest.starts_with('/'))
}

fn failed(below: &ObjectPath, source: Box<dyn Error + Send + Sync>) -> StoreError {
    let error = object_store::Error::Generic { store: "S3", source };
    StoreError::backend("list the uploads below", below, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_uploads_is_read_with_its_end_and_without() {
        let text = "<?xml version=\"1.0\"?><ListMultipartUploadsResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
            <Bucket>b</Bucket><KeyMarker/><NextKeyMarker>p/blobs/aa/ff</NextKeyMarker><NextUploadIdMarker>7</NextUploadIdMarker>\
            <IsTruncated>true</IsTruncated>\
            <Upload><Key>p/blobs/aa/00</Key><UploadId>6</UploadId><Initiator><ID>x</ID></Initiator><Initiated>2026-01-02T03:04:05.000Z</Initiated></Upload>\
            <Upload><Key>p/blobs/aa/ff</Key><UploadId>7</UploadId><Initiated>2026-01-02T03:04:06Z</Initiated></Upload>\
            </ListMultipartUploadsResult>";
        let page = read(text.as_bytes()).unwrap();
        assert_eq!(page.uploads.len(), 2);
        assert_eq!(page.uploads[0].initiated.to_string(), "2026-01-02T03:04:05Z");
        assert!(page.is_truncated);
        assert_eq!(
            (page.next_key_marker.as_str(), page.next_upload_id_marker.as_str()),
            ("p/blobs/aa/ff", "7")
        );
        let empty =
            "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated></ListMultipartUploadsResult>";
        assert!(read(empty.as_bytes()).unwrap().uploads.is_empty());
        assert!(read(b"{\"not\": \"xml\"}").is_err());
    }

    #[test]
    fn uploads_of_others_in_the_bucket_are_not_ours() {
        let folder = ObjectPath::from("team/blobs");
        assert!(is_below("team/blobs/aa/ff", &folder));
        for other in ["team/blobs2/aa", "blobs/aa/ff", "team/blob", "team/blobs"] {
            assert!(!is_below(other, &folder), "{other}");
        }
    }
}
