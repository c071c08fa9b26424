//! Dependency policy, checked without a network: version floors, banned crates, licences (`reliability.md` 5.2).
//! `.deny.toml` says the same to cargo-deny where its advisory database can be fetched.

use anyhow::{Result, bail};

use crate::metadata::Metadata;
use crate::say;

/// Below these versions a known fault is not fixed.
const FLOORS: &[(&str, &str)] = &[
    ("automerge", "0.12.0"),
    ("bytes", "1.11.1"),
    ("h2", "0.4.16"),
    ("hyper", "1.6.0"),
    ("quick-xml", "0.41.0"),
    ("ring", "0.17.12"),
    ("rusqlite", "0.42.0"),
    ("rustls", "0.23.18"),
    ("rustls-webpki", "0.103.13"),
    ("time", "0.3.47"),
    ("tokio", "1.44.2"),
    ("tonic", "0.14.0"),
    ("tracing-subscriber", "0.3.20"),
    ("zip", "2.3.0"),
];

/// One TLS stack, one crypto provider, one time library; unmaintained crates.
const BANNED: &[(&str, &str)] = &[
    ("aws-lc-rs", "ring is the one crypto provider"),
    ("aws-lc-sys", "ring is the one crypto provider"),
    ("openssl", "rustls is the one TLS stack"),
    ("openssl-sys", "rustls is the one TLS stack"),
    ("native-tls", "rustls is the one TLS stack"),
    ("rustls-pemfile", "unmaintained; rustls-pki-types reads PEM"),
    ("chrono", "time is the one time library"),
    ("jiff", "time is the one time library"),
    ("bincode", "unmaintained"),
    ("backoff", "unmaintained"),
    ("atty", "unmaintained"),
];

const LICENCES: &[&str] = &[
    "MIT",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Unicode-3.0",
    "Zlib",
    "0BSD",
    "CC0-1.0",
    "Unlicense",
    "MIT-0",
    "BSL-1.0",
    "CDLA-Permissive-2.0",
];

/// Lists every breach.
pub(crate) fn run(metadata: &Metadata) -> Result<()> {
    let mut faults = Vec::new();
    for package in &metadata.packages {
        for (name, floor) in FLOORS {
            if package.name == *name && numbers(&package.version) < numbers(floor) {
                faults.push(format!("{name} {} is below {floor}", package.version));
            }
        }
        if let Some((name, why)) = BANNED.iter().find(|(name, _)| *name == package.name) {
            faults.push(format!("{name} is banned: {why}"));
        }
        if package
            .source
            .as_deref()
            .is_some_and(|source| !source.starts_with("registry+"))
        {
            faults.push(format!("{} does not come from a registry", package.name));
        }
        let licence = package.license.as_deref().unwrap_or("");
        if package.source.is_some() && !licence_fits(licence) {
            faults.push(format!("{} has the licence {licence:?}", package.name));
        }
    }
    if faults.is_empty() {
        return Ok(());
    }
    for fault in &faults {
        say::note(format!("policy: {fault}"));
    }
    bail!("{} breaches of the dependency policy", faults.len())
}

/// Whether one of the alternatives is made only of licences on the list.
fn licence_fits(expression: &str) -> bool {
    let plain = expression.replace(['(', ')'], "").replace('/', " OR ");
    plain.split(" OR ").any(|alternative| {
        alternative
            .split(" AND ")
            .all(|licence| LICENCES.contains(&licence.trim()))
    })
}

fn numbers(version: &str) -> Vec<u64> {
    version
        .split(['.', '-', '+'])
        .map_while(|part| part.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn licence_expressions_are_read_as_alternatives() {
        for (expression, fits) in [
            ("MIT OR Apache-2.0", true),
            ("MIT/Apache-2.0", true),
            ("(MIT OR Apache-2.0) AND Unicode-3.0", true),
            ("Apache-2.0 AND ISC", true),
            ("GPL-3.0", false),
            ("", false),
        ] {
            assert_eq!(licence_fits(expression), fits, "{expression}");
        }
    }

    #[test]
    fn versions_compare_as_numbers() {
        assert!(numbers("0.103.9") < numbers("0.103.13"));
        assert!(numbers("1.0.0-alpha.5") >= numbers("1.0.0"));
    }
}
