//! What was entered in a form whose login session had ended: carried through the sign-in and shown again, never carried
//! out. Owns what may be carried and how much of it; the pages at the door are in `login`.

use axum::body::{Body, Bytes};
use http::request::Parts;
use http::{Method, header};
use hyper::body::Body as _;

use super::read_form;
use crate::Error;

/// Name of the hidden field by which a form offers to be shown again (any value) and is asked to be ([`ASKED`]). Only
/// forms with it are carried, so that a handler that knows nothing of it never sees one.
pub const AGAIN_FIELD: &str = "form_again";
/// The value that asks for the form instead of carrying it out.
pub(crate) const ASKED: &str = "asked";

/// Bytes of a form that are carried.
const SIZE_BYTES_MAX: usize = 64 * 1024;
/// Fields of a form that are carried.
const FIELDS_MAX: usize = 64;
/// What the names of hidden fields begin with; they are made anew.
const HIDDEN: &str = "form_";

/// What was entered, field by field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeptForm(Vec<(String, String)>);

impl KeptForm {
    /// What may be carried of a posted form; `None` where it does not offer to be shown again.
    pub(crate) async fn read(parts: &Parts, body: &Bytes) -> Option<Self> {
        let fields: Vec<(String, String)> = read_form(parts, body, &()).await.ok()?;
        let offers = fields.iter().any(|(name, _)| name == AGAIN_FIELD);
        offers.then(|| Self::of(fields)).flatten()
    }

    fn of(mut fields: Vec<(String, String)>) -> Option<Self> {
        fields.retain(|(name, _)| !name.starts_with(HIDDEN) && !name.contains("password"));
        let size_bytes: usize = fields.iter().map(|(name, text)| name.len() + text.len()).sum();
        (fields.len() <= FIELDS_MAX && size_bytes <= SIZE_BYTES_MAX).then_some(Self(fields))
    }

    /// As the sign-in page carries it.
    pub(crate) fn to_text(&self) -> String {
        serde_json::to_string(&self.0).unwrap_or_default()
    }

    /// Reads it back; what was bent on the way is gone.
    pub(crate) fn from_text(text: &str) -> Option<Self> {
        Self::of(serde_json::from_str(text).ok()?)
    }

    /// The fields.
    pub(crate) fn into_fields(self) -> Vec<(String, String)> {
        self.0
    }
}

/// Reads the body of a small posted form, so that it is still there when its handler turns it away; others pass.
pub(crate) async fn keep_body(parts: &Parts, body: Body) -> Result<(Option<Bytes>, Body), Error> {
    let media_type = parts.headers.get(header::CONTENT_TYPE);
    let is_form = media_type.is_some_and(|media_type| {
        media_type
            .as_bytes()
            .starts_with(b"application/x-www-form-urlencoded")
    });
    let is_small = body
        .size_hint()
        .upper()
        .is_some_and(|size_bytes| size_bytes <= SIZE_BYTES_MAX as u64);
    if parts.method != Method::POST || !is_form || !is_small {
        return Ok((None, body));
    }
    let bytes = axum::body::to_bytes(body, SIZE_BYTES_MAX)
        .await
        .map_err(|_| Error::UploadCut)?;
    Ok((Some(bytes.clone()), Body::from(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect()
    }

    #[test]
    fn what_is_hidden_or_secret_is_not_carried_and_the_rest_comes_back() {
        let kept = KeptForm::of(fields(&[
            ("form_token", "t"),
            ("form_once", "o"),
            ("name", "\"求知\" & <校>"),
            ("new_password", "seven quiet rivers"),
        ]))
        .unwrap();
        assert_eq!(KeptForm::from_text(&kept.to_text()), Some(kept.clone()));
        assert_eq!(kept.into_fields(), fields(&[("name", "\"求知\" & <校>")]));
    }

    #[test]
    fn too_much_is_not_carried() {
        let long = "x".repeat(SIZE_BYTES_MAX);
        assert_eq!(KeptForm::of(fields(&[("name", &long)])), None);
        let many: Vec<_> = (0..=FIELDS_MAX)
            .map(|number| (number.to_string(), String::new()))
            .collect();
        assert_eq!(KeptForm::of(many), None);
        assert_eq!(KeptForm::from_text("[1]"), None);
    }
}
