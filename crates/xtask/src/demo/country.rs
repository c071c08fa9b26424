//! Who keeps what: the generated country shared out to the demo's nodes by home federation.
//! A node above keeps the federations below that have no node of their own.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rollcall_core::id::FederationId;
use rollcall_core::record::Record;
use rollcall_core::term::Category;

use crate::seed::{SeedConfig, generate};

/// One node's share.
#[derive(Debug)]
pub(super) struct Share {
    pub(super) file: PathBuf,
    pub(super) records: u64,
}

/// The country as files, one per node.
#[derive(Debug)]
pub(super) struct Country {
    pub(super) shares: BTreeMap<String, Share>,
    pub(super) records: u64,
    /// Code of an organisation in scope, with a union, for the demo's edits.
    pub(super) edited: String,
}

/// Generates it. `edited_at` is the node whose register gives the organisation that is edited.
pub(super) fn write(
    organisations: u64,
    nodes: &[&str],
    edited_at: &str,
    folder: &Path,
    mut moved: impl FnMut(),
) -> Result<Country> {
    std::fs::create_dir_all(folder).context("make the folder of the country")?;
    let mut files: BTreeMap<&str, (PathBuf, BufWriter<File>, u64)> = BTreeMap::new();
    for node in nodes {
        let path = folder.join(format!("{node}.jsonl"));
        let file = File::create(&path).with_context(|| format!("create {}", path.display()))?;
        files.insert(node, (path, BufWriter::new(file), 0));
    }
    let mut edited = None;
    for (federation, record) in generate(&SeedConfig {
        organisations,
        seed: 1,
        federations: None,
    }) {
        let keeper = keeper(&federation, nodes);
        if keeper == edited_at
            && let Record::Organisation(organisation) = &record
            && edited.is_none()
            && federation.as_str() == edited_at
            && is_fit(organisation)
        {
            edited = organisation.code.clone();
        }
        if matches!(record, Record::Organisation(_)) {
            moved();
        }
        let (_, file, records) = files.get_mut(keeper).context("find the file of a node")?;
        serde_json::to_writer(&mut *file, &record)?;
        file.write_all(b"\n")?;
        *records += 1;
    }
    let mut shares = BTreeMap::new();
    for (node, (file, mut writer, records)) in files {
        writer.flush().context("write the country")?;
        shares.insert(node.to_owned(), Share { file, records });
    }
    let records = shares.values().map(|share| share.records).sum();
    let edited = edited.with_context(|| format!("find an organisation of {edited_at} to edit"))?;
    Ok(Country {
        shares,
        records,
        edited,
    })
}

/// The nearest node above a federation, its own first.
fn keeper<'a>(federation: &FederationId, nodes: &[&'a str]) -> &'a str {
    let code = federation.division();
    let above = [code, code / 100 * 100, code / 10_000 * 10_000].map(|code| code.to_string());
    above
        .iter()
        .find_map(|above| nodes.iter().copied().find(|node| *node == above.as_str()))
        .or_else(|| nodes.first().copied())
        .unwrap_or("100000")
}

/// Whether it is in the campaign's scope by its category, covered and not ended, so that its status moves the rate.
fn is_fit(organisation: &rollcall_core::record::OrganisationRecord) -> bool {
    use rollcall_core::record::Dated;
    let named = |category: &Category| {
        matches!(
            category,
            Category::Kindergarten | Category::School | Category::Hospital
        )
    };
    let fits = match &organisation.category {
        Some(Dated::Scalar(category)) => named(category),
        Some(Dated::List(entries)) => entries.iter().any(|entry| named(&entry.value)),
        None => false,
    };
    fits && organisation.status_on.is_none() && organisation.coverage.iter().any(|link| link.until.is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_node_above_keeps_what_has_no_node() {
        let nodes = ["100000", "330000", "330100", "330105", "330106", "440000"];
        for (federation, expected) in [
            ("330106", "330106"),
            ("330102", "330100"),
            ("330200", "330000"),
            ("330282", "330000"),
            ("440103", "440000"),
            ("110101", "100000"),
            ("100000", "100000"),
        ] {
            assert_eq!(
                keeper(&federation.parse().expect("a federation"), &nodes),
                expected,
                "{federation}"
            );
        }
    }
}
