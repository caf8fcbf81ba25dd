//! What the page's own policy lets a browser load: its one style and its one script, by their
//! hashes, and nothing else. Text that should ever come to be markup cannot run.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

/// The style sheet.
pub(super) const STYLE: &str = include_str!("page.css");
/// The script. The page is whole without it.
pub(super) const SCRIPT: &str = include_str!("page.js");

/// The content of the page's `Content-Security-Policy`.
pub(super) fn policy() -> String {
    format!(
        "default-src 'none'; style-src '{}'; script-src '{}'; base-uri 'none'; form-action 'none'",
        hash(STYLE),
        hash(SCRIPT)
    )
}

fn hash(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text.as_bytes())))
}
