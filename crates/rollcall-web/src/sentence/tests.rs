//! Every code that a rule may give has words in both languages, and no words are left over.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rollcall_core::rule::RULES;

use super::*;

/// Crates whose codes reach pages.
const CRATES: [&str; 11] = [
    "rollcall-core",
    "rollcall-doc",
    "rollcall-stats",
    "rollcall-sync",
    "rollcall-store",
    "rollcall-exchange",
    "rollcall-replica",
    "rollcall-command",
    "rollcall-rpc",
    "rollcall-node",
    "rollcall-aggregator",
];

/// Seen on a command line only, where the program says them in full.
const COMMAND_LINE_ONLY: [&str; 12] = [
    "BACKUP_OTHER_NODE",
    "BIND",
    "BIND_OPEN",
    "CONFIG_UNKNOWN",
    "FILE_EXISTS",
    "FILE_MISSING",
    "NOT_A_RELAY",
    "NO_DATA",
    "PORT_IN_USE",
    "RECORD_KIND",
    "STORE_EXISTS",
    "VERIFY_FAULTS",
];

/// Upper-case words in the sources that are no codes: names of the engine, of settings, of terms and states.
const NO_CODES: [&str; 37] = [
    "APPLIED",
    "APPROVED",
    "BEGIN",
    "BUDGETED",
    "CANCELLED",
    "CARGO_MANIFEST_DIR",
    "CARGO_PKG_VERSION",
    "COMMIT",
    "DENY",
    "DISBURSED",
    "DORMANT",
    "FAILED",
    "GB18030",
    "HELD",
    "HOST_STAFF",
    "IN_LIQUIDATION",
    "JSON",
    "MISTAKEN",
    "NOT_REGISTERED",
    "NO_CODE",
    "NO_WORKERS",
    "OTHER_APPROVED",
    "OUT_CATEGORY",
    "OUT_FOR_PROFIT",
    "OUT_KIND",
    "OUT_LEVEL",
    "OUT_PUBLIC",
    "RCL1",
    "RECOVERED",
    "REJECTED",
    "ROLLBACK",
    "ROLLCALL_DATA",
    "ROLLCALL_LOG",
    "SCREAMING_SNAKE_CASE",
    "SETTLED",
    "SPILL_OVER",
    "UNION",
];

/// Upper-case literals of a crate's sources, tests left out, each with a file that has it.
fn codes_in(folder: &Path, codes: &mut BTreeMap<String, String>) {
    for entry in std::fs::read_dir(folder).expect("the folder of a crate") {
        let path = entry.expect("an entry").path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let is_test =
            ["tests", "tests.rs", "samples.rs", "testing.rs", "planning.rs"].contains(&name.as_str());
        if is_test {
            continue;
        }
        if path.is_dir() {
            codes_in(&path, codes);
            continue;
        }
        if !name.ends_with(".rs") {
            continue;
        }
        let content = std::fs::read_to_string(&path).expect("a source");
        let content = content
            .split("#[cfg(test)]\nmod tests")
            .next()
            .unwrap_or_default();
        for literal in content.split('"') {
            let is_code = literal.len() > 2
                && literal.starts_with(|first: char| first.is_ascii_uppercase())
                && literal
                    .bytes()
                    .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
            if is_code {
                codes.insert(literal.to_owned(), path.display().to_string());
            }
        }
    }
}

#[test]
fn every_code_has_a_sentence_in_both_languages() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut codes = BTreeMap::new();
    for name in CRATES {
        codes_in(&crates.join(name).join("src"), &mut codes);
    }
    for rule in RULES {
        assert!(codes.contains_key(rule.id), "the search missed {}", rule.id);
    }
    for locale in Locale::ALL {
        let missing: Vec<_> = codes
            .iter()
            .filter(|(code, _)| {
                !COMMAND_LINE_ONLY.contains(&code.as_str()) && !NO_CODES.contains(&code.as_str())
            })
            .filter(|(code, _)| {
                let has = |key: String| locale.lookup(&key).is_some();
                let is_page = has(format!("problem.{code}.title")) && has(format!("problem.{code}.remedy"));
                !(is_page || has(format!("sentence.{code}")))
            })
            .collect();
        assert!(missing.is_empty(), "{locale:?} lacks sentences: {missing:#?}");
    }
    let known: BTreeSet<&str> = codes.keys().map(String::as_str).collect();
    let left_over: Vec<_> = Locale::Chinese
        .keys()
        .filter_map(|key| key.strip_prefix("sentence."))
        .filter(|code| code.starts_with(|first: char| first.is_ascii_uppercase()) && !known.contains(code))
        .collect();
    assert!(left_over.is_empty(), "no rule gives these: {left_over:?}");
}

#[test]
fn a_sentence_repeats_what_the_rule_is_about() {
    let cases = [
        (
            "PLACE_UNKNOWN",
            "\"西湖区\" is not a division code such as 330106.",
            "（西湖区）",
        ),
        (
            "V10",
            "The division 330199 is not in use; today it is 330105.",
            "（330199、330105）",
        ),
        (
            "V34",
            "paid on 2024-05-01 to a union not established",
            "（2024-05-01）",
        ),
        ("FILE_TOO_BIG", "The file has 31457280 bytes.", "再导入。"),
        ("KEY_REVOKED", "", "全国总工会。"),
    ];
    for (code, message, end) in cases {
        let chinese = Locale::Chinese.sentence(code, message);
        assert!(chinese.ends_with(end), "{chinese}");
        assert!(
            !chinese.contains("union") && !chinese.contains("division"),
            "{chinese}"
        );
    }
}

#[test]
fn english_says_what_the_rule_said_as_a_sentence() {
    let said = Locale::English.sentence("V26", "two current own unions");
    assert_eq!(said, "Two current own unions.");
    assert!(
        Locale::English
            .sentence("LINK_LOST", "")
            .contains("connection was lost")
    );
}

#[test]
fn a_code_without_words_is_still_said_with_a_remedy() {
    assert!(
        Locale::Chinese
            .sentence("NOVEL", "something new")
            .contains("NOVEL")
    );
    assert!(Locale::Chinese.sentence("NOVEL", "").contains("管理员"));
    let title = Locale::Chinese.text("problem.ALREADY_DONE.title");
    assert_eq!(Locale::Chinese.sentence("ALREADY_DONE", "done"), title);
}
