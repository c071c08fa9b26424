//! Lists as they come from registration offices: the real ones where they lie beside the checkout, excerpts otherwise.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::loopback::{Node, number, text};
use crate::say;

/// What a list is about, the real file, the excerpt, and the node that takes it in.
const LISTS: [(&str, &str, &str, &str); 7] = [
    (
        "social and public bodies",
        "cn_social_and_public_orgs.csv",
        "social_and_public_organisations.csv",
        "100000",
    ),
    (
        "for-profit schools",
        "cn_forprofit_schools_hospitals.csv",
        "for_profit_schools_hospitals.csv",
        "100000",
    ),
    (
        "numbers before 2015",
        "cn_legacy_registration_numbers.csv",
        "legacy_registration_numbers.csv",
        "100000",
    ),
    ("unions of Yunnan", "cn_unions_uscc8x.csv", "unions.csv", "100000"),
    (
        "hospitals of 2020",
        "cn_hospitals_2020.xlsx",
        "hospitals.xlsx",
        "100000",
    ),
    ("schools", "cn_schools.csv", "schools.csv", "100000"),
    (
        "kindergartens (GB18030)",
        "gz_kindergartens_gb18030.csv",
        "kindergartens_gb18030.csv",
        "440000",
    ),
];

/// Takes them in one after the other and tells how their rows were sorted.
pub(super) fn import_all(root: &Path, nodes: &[Node], moved: impl Fn()) -> Result<Vec<Vec<String>>> {
    let mut rows = Vec::new();
    for (about, real, excerpt, federation) in LISTS {
        let file = choose(root, real, excerpt);
        let node = nodes
            .iter()
            .find(|node| node.federation == federation)
            .context("find the node of a list")?;
        let answer = node.import(&file, &[])?;
        let counted = ["rows_read", "new", "updated", "unchanged", "duplicate", "refused"];
        let mut row = vec![about.to_owned()];
        row.extend(counted.map(|key| say::thousands(number(&answer, &format!("/{key}")))));
        row.push(text(&answer, "/encoding").to_owned());
        rows.push(row);
        moved();
    }
    Ok(rows)
}

/// How many there are.
pub(super) const COUNT: u64 = LISTS.len() as u64;

/// Prints what [`import_all`] gave.
pub(super) fn tell(rows: &[Vec<String>]) {
    say::table(
        &[
            "list",
            "rows",
            "new",
            "updated",
            "unchanged",
            "duplicate",
            "refused",
            "encoding",
        ],
        rows,
    );
}

fn choose(root: &Path, real: &str, excerpt: &str) -> PathBuf {
    let beside = root.join("../shared/data").join(real);
    if beside.is_file() {
        beside
    } else {
        root.join("tests/fixtures/lists").join(excerpt)
    }
}
