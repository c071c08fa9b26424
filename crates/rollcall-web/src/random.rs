//! Random bytes and how they are written in cookies and hidden fields.
//! Owns nothing else; every secret of this crate comes from here.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Fresh bytes from the operating system.
pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes to a running process");
    bytes
}

/// The text form of a secret: base64 for addresses, no padding.
pub(crate) fn to_text(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The bytes of a text made by [`to_text`]; `None` where length or alphabet differ.
pub(crate) fn from_text<const N: usize>(text: &str) -> Option<[u8; N]> {
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_returns_the_same_bytes_and_refuses_others() {
        let secret = bytes::<32>();
        assert_eq!(from_text(&to_text(&secret)), Some(secret));
        assert_ne!(bytes::<32>(), secret);
        for bad in [
            "",
            "short",
            &to_text(&[0; 31]),
            &format!("{}=", to_text(&secret)),
            "汉字",
        ] {
            assert_eq!(from_text::<32>(bad), None, "{bad}");
        }
    }
}
