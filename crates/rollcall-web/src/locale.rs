//! The two languages of the pages and the table of their texts.
//! Owns choosing a language and looking up a text; numbers and dates are in `format`.
//!
//! Each language has two files of `key = text` lines, compiled in: texts of the pages, and sentences by code. A key that one of them lacks fails a test.

use std::collections::BTreeMap;
use std::sync::OnceLock;

/// A language of the pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Locale {
    /// 简体中文.
    Chinese,
    /// English.
    English,
}

type Table = BTreeMap<&'static str, &'static str>;

impl Locale {
    /// Every language, in the order of the switch.
    pub const ALL: [Self; 2] = [Self::Chinese, Self::English];

    /// The tag in `lang` attributes, queries and cookies.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::Chinese => "zh",
            Self::English => "en",
        }
    }

    /// The tag with region for the `lang` attribute of a page, so that screen readers and fonts choose well.
    pub const fn page_tag(self) -> &'static str {
        match self {
            Self::Chinese => "zh-CN",
            Self::English => "en",
        }
    }

    /// Its own name for itself.
    pub const fn own_name(self) -> &'static str {
        match self {
            Self::Chinese => "中文",
            Self::English => "English",
        }
    }

    /// The language of a tag such as `zh`, `zh-Hans-CN` or `EN-gb`.
    pub fn from_tag(tag: &str) -> Option<Self> {
        let primary = tag.trim().split(['-', '_']).next().unwrap_or_default();
        Self::ALL
            .into_iter()
            .find(|locale| locale.tag().eq_ignore_ascii_case(primary))
    }

    /// The best language of an `Accept-Language` line; Chinese where it names neither.
    pub fn from_accept_language(line: &str) -> Self {
        let mut best = None;
        for item in line.split(',').take(32) {
            let (tag, weight) = item.split_once(';').unwrap_or((item, ""));
            let weight = weight.trim().strip_prefix("q=").map_or(1000, read_weight);
            if let Some(locale) = Self::from_tag(tag)
                && weight > best.map_or(0, |(weight, _)| weight)
            {
                best = Some((weight, locale));
            }
        }
        best.map_or(Self::Chinese, |(_, locale)| locale)
    }

    /// The text of a key. A key that is in no table is shown as it stands, so that a page still appears.
    pub fn text(self, key: &str) -> &str {
        self.lookup(key).unwrap_or(key)
    }

    /// The text of a key, if there is one.
    pub fn lookup(self, key: &str) -> Option<&'static str> {
        self.table().get(key).copied()
    }

    /// Every key that has a text, sorted.
    #[cfg(test)]
    pub(crate) fn keys(self) -> impl Iterator<Item = &'static str> {
        self.table().keys().copied()
    }

    /// The text of a key with `{0}`, `{1}` and so on replaced by `values`, and `{0|change|changes}` by the word for one
    /// or for any other number, in one pass: a value is never read as a place.
    pub fn fill(self, key: &str, values: &[&str]) -> String {
        let mut filled = String::new();
        let mut rest = self.text(key);
        while let Some(start) = rest.find('{') {
            filled.push_str(&rest[..start]);
            rest = &rest[start..];
            let end = rest.find('}').unwrap_or(0);
            let mut parts = rest.get(1..end).unwrap_or_default().split('|');
            let place = parts.next().and_then(|place| place.parse::<usize>().ok());
            match (
                place.and_then(|place| values.get(place)),
                parts.next(),
                parts.next(),
            ) {
                (Some(value), None, _) => {
                    filled.push_str(value);
                    rest = &rest[end + 1..];
                }
                (Some(value), Some(one), Some(many)) => {
                    filled.push_str(if *value == "1" { one } else { many });
                    rest = &rest[end + 1..];
                }
                (None, ..) | (Some(_), Some(_), None) => {
                    filled.push('{');
                    rest = &rest[1..];
                }
            }
        }
        filled.push_str(rest);
        filled
    }

    fn table(self) -> &'static Table {
        static TABLES: [OnceLock<Table>; 2] = [OnceLock::new(), OnceLock::new()];
        let index = match self {
            Self::Chinese => 0,
            Self::English => 1,
        };
        TABLES[index].get_or_init(|| self.files().into_iter().flat_map(read_table).collect())
    }

    /// Its texts, then its sentences by code.
    const fn files(self) -> [&'static str; 2] {
        match self {
            Self::Chinese => [
                include_str!("locale/zh.txt"),
                include_str!("locale/sentence.zh.txt"),
            ],
            Self::English => [
                include_str!("locale/en.txt"),
                include_str!("locale/sentence.en.txt"),
            ],
        }
    }
}

/// The lines `key = text`; empty lines and `#` comments are skipped.
fn read_table(file: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    file.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .filter_map(|line| line.split_once('='))
        .map(|(key, text)| (key.trim(), text.trim()))
}

/// A quality value in thousandths; nonsense counts as 0.
fn read_weight(text: &str) -> u32 {
    let (whole, part) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
    let digits: String = part.chars().chain("000".chars()).take(3).collect();
    match (whole, digits.parse::<u32>()) {
        ("1", Ok(_)) => 1000,
        ("0", Ok(thousandths)) => thousandths,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use rollcall_core::term;

    use super::*;

    fn lines(locale: Locale) -> Vec<(&'static str, &'static str)> {
        locale.files().into_iter().flat_map(read_table).collect()
    }

    fn places(text: &str) -> BTreeSet<&str> {
        text.match_indices('{')
            .map(|(start, _)| &text[start..(start + 2).min(text.len())])
            .collect()
    }

    #[test]
    fn both_tables_hold_the_same_keys_once_with_the_same_places() {
        for locale in Locale::ALL {
            let keys: Vec<_> = lines(locale).into_iter().map(|(key, _)| key).collect();
            let distinct: BTreeSet<_> = keys.iter().collect();
            assert_eq!(keys.len(), distinct.len(), "a key stands twice in {locale:?}");
            let mut sorted = keys.clone();
            sorted.dedup();
            assert_eq!(sorted, keys);
        }
        let (chinese, english) = (Locale::Chinese.table(), Locale::English.table());
        assert_eq!(
            chinese.keys().collect::<Vec<_>>(),
            english.keys().collect::<Vec<_>>()
        );
        for (key, text) in chinese {
            assert!(!text.is_empty() && !english[key].is_empty(), "{key}");
            assert_eq!(places(text), places(english[key]), "{key}");
        }
    }

    /// Finds every `text("…")`, `fill("…"` in templates and sources.
    fn keys_in(folder: &Path, keys: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                keys_in(&path, keys);
                continue;
            }
            let content = std::fs::read_to_string(&path).unwrap();
            for opening in [".text(\"", ".fill(\"", "_key: \""] {
                for (start, _) in content.match_indices(opening) {
                    let rest = &content[start + opening.len()..];
                    keys.insert(rest[..rest.find('"').unwrap()].to_owned());
                }
            }
        }
    }

    #[test]
    fn no_key_named_in_a_template_or_a_source_is_missing() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut keys = BTreeSet::new();
        for folder in ["templates", "src", "examples"] {
            keys_in(&root.join(folder), &mut keys);
        }
        keys.remove("no.such.key");
        assert!(keys.len() > 100, "the search found only {}", keys.len());
        let missing: Vec<_> = keys
            .iter()
            .filter(|key| Locale::Chinese.lookup(key).is_none())
            .collect();
        assert!(missing.is_empty(), "missing: {missing:#?}");
    }

    #[test]
    fn every_term_of_the_field_has_a_text() {
        let mut names = Vec::new();
        macro_rules! collect {
            ($($kind:ident as $prefix:literal),+ $(,)?) => {
                $(names.extend(term::$kind::ALL.iter().map(|term| format!("{}.{}", $prefix, term.name())));)+
            };
        }
        collect!(
            Kind as "kind", Category as "category", RegistrationStatus as "registration_status",
            OperatingState as "operating_state", Source as "source", ExclusionReason as "exclusion",
            UnionForm as "form", UnionEvent as "event", Stage as "stage", SubsidyKind as "subsidy", Level as "level",
        );
        for name in names {
            assert!(Locale::Chinese.lookup(&name).is_some(), "{name}");
        }
    }

    #[test]
    fn unknown_key_is_shown_as_it_stands() {
        assert_eq!(Locale::English.text("no.such.key"), "no.such.key");
    }

    #[test]
    fn values_are_filled_in_once_and_never_read_as_places() {
        let filled = Locale::English.fill("pager.range", &["{1}", "20", "300"]);
        assert_eq!(
            filled,
            Locale::English
                .text("pager.range")
                .replace("{1}", "20")
                .replace("{2}", "300")
                .replace("{0}", "{1}")
        );
    }

    #[test]
    fn one_and_many_have_their_words() {
        let said = |count: &str| Locale::English.fill("sync.waiting", &[count]);
        assert_eq!(said("1"), "1 change waiting");
        assert_eq!(said("0"), "0 changes waiting");
        assert_eq!(said("1,001"), "1,001 changes waiting");
    }

    #[test]
    fn best_language_wins_and_chinese_without_any() {
        let cases = [
            ("", Locale::Chinese),
            ("de", Locale::Chinese),
            ("en", Locale::English),
            ("en-GB,en;q=0.9,zh;q=0.8", Locale::English),
            ("de,zh-Hans-CN;q=0.9,en;q=0.8", Locale::Chinese),
            ("en;q=0.3, zh-TW;q=0.7", Locale::Chinese),
            ("en;q=0", Locale::Chinese),
            ("zh;q=x,en;q=0.1", Locale::English),
        ];
        for (line, locale) in cases {
            assert_eq!(Locale::from_accept_language(line), locale, "{line}");
        }
    }
}
