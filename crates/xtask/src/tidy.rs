//! `cargo xtask tidy`: does the tree still look like its picture?
//! Owns the direction of dependencies, the naming of crates in ARCHITECTURE.md, file heads and leftovers.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::metadata::Metadata;
use crate::say;

/// Rows of `crates/ARCHITECTURE.md`; a crate depends only on rows below its own.
const ROWS: &[(&str, u8)] = &[
    ("rollcall-core", 1),
    ("rollcall-doc", 2),
    ("rollcall-stats", 2),
    ("rollcall-sync", 3),
    ("rollcall-store", 3),
    ("rollcall-exchange", 3),
    ("rollcall-replica", 4),
    ("rollcall-command", 5),
    ("rollcall-rpc", 5),
    ("rollcall-web", 5),
    ("rollcall-node", 6),
    ("rollcall-aggregator", 6),
    ("rollcall-testkit", 6),
    ("rollcall-tests", 7),
    ("xtask", 7),
];

/// Libraries that one crate alone may name (`crates/ARCHITECTURE.md`, invariant 2); the tests above everything may too, as attackers.
const ONLY_IN: &[(&str, &[&str])] = &[
    ("automerge", &["rollcall-doc"]),
    ("rusqlite", &["rollcall-store"]),
    ("calamine", &["rollcall-exchange"]),
    ("rust_xlsxwriter", &["rollcall-exchange"]),
    ("tonic", &["rollcall-rpc"]),
    ("prost", &["rollcall-rpc"]),
    ("rustls", &["rollcall-rpc"]),
];

const TOP_LEVEL: &[&str] = &[
    "Cargo.toml",
    "Cargo.lock",
    "proto",
    "crates",
    "tests",
    "deploy",
    "README.md",
];

/// Runs every check and lists what is wrong; long files are only listed.
pub(crate) fn run(root: &Path, metadata: &Metadata) -> Result<()> {
    let mut faults = Vec::new();
    check_rows(metadata, &mut faults);
    check_top_level(root, &mut faults)?;
    check_architecture(root, metadata, &mut faults)?;
    let mut long = Vec::new();
    for file in rust_files(root)? {
        check_file(root, &file, &mut faults, &mut long)?;
    }
    for (lines, file) in &long {
        say::note(format!("tidy: {} has {lines} lines", file.display()));
    }
    if faults.is_empty() {
        say::note("tidy: the tree looks like its picture");
        return Ok(());
    }
    for fault in &faults {
        say::note(format!("tidy: {fault}"));
    }
    bail!("tidy found {} faults", faults.len())
}

fn check_rows(metadata: &Metadata, faults: &mut Vec<String>) {
    let row = |name: &str| ROWS.iter().find(|(known, _)| *known == name).map(|(_, row)| *row);
    for package in metadata.members() {
        let Some(own) = row(&package.name) else {
            faults.push(format!("{} has no row in the picture", package.name));
            continue;
        };
        for dependency in &package.dependencies {
            if let Some(other) = row(&dependency.name)
                && other >= own
            {
                faults.push(format!(
                    "{} (row {own}) depends on {} (row {other})",
                    package.name, dependency.name
                ));
            }
            for (library, crates) in ONLY_IN {
                let may = crates.contains(&package.name.as_str()) || package.name == "rollcall-tests";
                if dependency.name == *library && !may {
                    faults.push(format!(
                        "{} names {library}, which only {crates:?} may",
                        package.name
                    ));
                }
            }
        }
    }
}

fn check_top_level(root: &Path, faults: &mut Vec<String>) -> Result<()> {
    for entry in fs::read_dir(root).context("list the top level")? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') && name != "target" && !TOP_LEVEL.contains(&name.as_str()) {
            faults.push(format!("{name} stands at the top level"));
        }
    }
    Ok(())
}

fn check_architecture(root: &Path, metadata: &Metadata, faults: &mut Vec<String>) -> Result<()> {
    let text = fs::read_to_string(root.join("crates/ARCHITECTURE.md")).context("read ARCHITECTURE.md")?;
    for package in metadata.members() {
        if !text.contains(&package.name) {
            faults.push(format!("ARCHITECTURE.md does not name {}", package.name));
        }
    }
    Ok(())
}

fn check_file(
    root: &Path,
    file: &Path,
    faults: &mut Vec<String>,
    long: &mut Vec<(usize, PathBuf)>,
) -> Result<()> {
    let text = fs::read_to_string(file).with_context(|| format!("read {}", file.display()))?;
    let shown = file.strip_prefix(root).unwrap_or(file).to_path_buf();
    if !text.starts_with("//!") {
        faults.push(format!("{} does not begin with //!", shown.display()));
    }
    let leftovers = [
        ["db", "g!("].concat(),
        ["to", "do!("].concat(),
        ["unimplement", "ed!("].concat(),
    ];
    for leftover in leftovers {
        if text.contains(&leftover) {
            faults.push(format!("{} holds {leftover}", shown.display()));
        }
    }
    let lines = text.lines().count();
    if lines > 400 {
        long.push((lines, shown));
    }
    Ok(())
}

fn rust_files(root: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![root.join("crates"), root.join("tests")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).with_context(|| format!("list {}", folder.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}
