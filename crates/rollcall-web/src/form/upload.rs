//! A form that carries one file, streamed to where the handler wants it.
//! Owns the order (hidden token first, then fields, then the file) and the limits; never holds the file in memory.

use std::collections::BTreeMap;

use axum::extract::multipart::{Field, Multipart, MultipartError};
use axum::extract::{DefaultBodyLimit, FromRequest, FromRequestParts, Request};
use axum::response::Response;
use http::StatusCode;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::{ONCE_FIELD, Outcome, submit_once};
use crate::visit::Visit;
use crate::{Error, csrf, random};

/// Text fields beside the file.
const FIELDS_MAX: usize = 32;
/// Bytes in one text field.
const FIELD_SIZE_BYTES_MAX: usize = 4096;
/// Characters of a file name that are kept.
const FILE_NAME_CHARACTERS_MAX: usize = 120;

/// Layer for a route that takes a file of this size, in place of the limit of other forms.
pub fn upload_limit(size_bytes_max: usize) -> DefaultBodyLimit {
    DefaultBodyLimit::max(size_bytes_max + FIELDS_MAX * (FIELD_SIZE_BYTES_MAX + 512))
}

/// A multipart form of which nothing has been read yet.
pub struct UploadRequest {
    visit: Visit,
    multipart: Multipart,
}

/// What came with a file.
pub struct Upload {
    /// The text fields, without the hidden ones.
    pub fields: BTreeMap<String, String>,
    /// The file's name for showing: no folders, no control characters. Never a path to write to.
    pub file_name: String,
    /// Bytes written to the sink.
    pub size_bytes: u64,
    visit: Visit,
    once: Option<String>,
    content: [u8; 32],
}

impl<S: Send + Sync> FromRequest<S> for UploadRequest {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self, Error> {
        let (mut parts, body) = request.into_parts();
        let visit = Visit::from_request_parts(&mut parts, state).await?;
        match Multipart::from_request(Request::from_parts(parts, body), state).await {
            Ok(multipart) => Ok(Self { visit, multipart }),
            Err(rejection) => Err(Error::ParamInvalid {
                detail: rejection.body_text(),
            }),
        }
    }
}

impl UploadRequest {
    /// Reads the form to its end and writes the file to `sink`. The token must stand before the file, as the hidden
    /// fields of our own pages do. On an error the sink holds a part that the caller drops.
    pub async fn read(
        self,
        sink: &mut (impl AsyncWrite + Unpin),
        size_bytes_max: u64,
    ) -> Result<Upload, Error> {
        let Self { visit, mut multipart } = self;
        let mut fields = BTreeMap::new();
        let mut file = None;
        let mut content = Sha256::new();
        while let Some(mut field) = multipart
            .next_field()
            .await
            .map_err(|error| cut(&error, size_bytes_max))?
        {
            let Some(raw_name) = field.file_name().map(str::to_owned) else {
                if fields.len() >= FIELDS_MAX {
                    return Err(Error::ParamInvalid {
                        detail: "too many fields".to_owned(),
                    });
                }
                let name = field.name().unwrap_or_default().to_owned();
                let value = read_text(&mut field).await?;
                fields.insert(name, value);
                continue;
            };
            if file.is_some() {
                return Err(Error::ParamInvalid {
                    detail: "more than one file".to_owned(),
                });
            }
            check(&visit, &fields)?;
            let mut size_bytes = 0;
            while let Some(chunk) = field.chunk().await.map_err(|error| cut(&error, size_bytes_max))? {
                size_bytes += chunk.len() as u64;
                if size_bytes > size_bytes_max {
                    return Err(Error::TooBig { size_bytes_max });
                }
                content.update(&chunk);
                sink.write_all(&chunk).await.map_err(Error::internal)?;
            }
            file = Some((clean_file_name(&raw_name), size_bytes));
        }
        sink.flush().await.map_err(Error::internal)?;
        check(&visit, &fields)?;
        let (file_name, size_bytes) = file.ok_or(Error::ParamInvalid {
            detail: "no file".to_owned(),
        })?;
        fields.remove(csrf::FIELD);
        let once = fields.remove(ONCE_FIELD);
        for text in fields
            .iter()
            .flat_map(|(name, text)| [name, text])
            .chain([&file_name])
        {
            content.update([0]);
            content.update(text);
        }
        Ok(Upload {
            fields,
            file_name,
            size_bytes,
            visit,
            once,
            content: content.finalize().into(),
        })
    }
}

fn check(visit: &Visit, fields: &BTreeMap<String, String>) -> Result<(), Error> {
    let token = fields.get(csrf::FIELD).map(String::as_str);
    visit.site.token_key().check(visit.cookie.as_ref(), token)
}

impl Upload {
    /// Like `CheckedForm::submit_once`, for a form with a file. Another file from the same page is another act: people
    /// go back to choose the right one.
    pub async fn submit_once<F, O>(self, action: impl FnOnce() -> F) -> Result<Response, Error>
    where
        F: Future<Output = Result<O, Error>>,
        O: Into<Outcome>,
    {
        let key = self
            .once
            .map(|once| format!("{once} {}", random::to_text(&self.content)));
        submit_once(&self.visit, key.as_deref(), self.content, action).await
    }
}

async fn read_text(field: &mut Field<'_>) -> Result<String, Error> {
    let mut bytes = Vec::new();
    while let Some(chunk) = field
        .chunk()
        .await
        .map_err(|error| cut(&error, FIELD_SIZE_BYTES_MAX as u64))?
    {
        if bytes.len() + chunk.len() > FIELD_SIZE_BYTES_MAX {
            return Err(Error::ParamInvalid {
                detail: "field too long".to_owned(),
            });
        }
        bytes.extend_from_slice(&chunk);
    }
    String::from_utf8(bytes).map_err(|_| Error::ParamInvalid {
        detail: "field is not UTF-8".to_owned(),
    })
}

fn cut(error: &MultipartError, size_bytes_max: u64) -> Error {
    if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
        Error::TooBig { size_bytes_max }
    } else {
        Error::UploadCut
    }
}

/// The last part of a file name, short and printable.
fn clean_file_name(raw: &str) -> String {
    let last = raw.rsplit(['/', '\\']).next().unwrap_or_default();
    let printable = last.chars().filter(|character| !character.is_control());
    let name: String = printable.take(FILE_NAME_CHARACTERS_MAX).collect();
    if name.trim().is_empty() {
        "?".to_owned()
    } else {
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_name_is_shown_without_folders_and_control_characters() {
        let long = "长".repeat(300);
        let cases = [
            ("名单.xlsx", "名单.xlsx"),
            ("C:\\Users\\x\\名单.csv", "名单.csv"),
            ("../../etc/passwd", "passwd"),
            ("a\r\nb\".csv", "ab\".csv"),
            ("", "?"),
            ("folder/", "?"),
            (&long, &long[..120 * 3]),
        ];
        for (raw, name) in cases {
            assert_eq!(clean_file_name(raw), name);
        }
    }
}
