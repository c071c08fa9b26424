//! Who counts (`domain.md` 5): in scope in group A, group B or both, or out for exactly one reason.
//! Owns the order of the reasons; whether an organisation is registered at a date is told from outside.

use serde::{Deserialize, Serialize};

use crate::campaign::Settings;
use crate::credit_code::CreditCode;
use crate::term::{Category, Level};

/// Result of the scope test, but for the registration at a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Counts. At least one of the two is true.
    In {
        /// Social organisation registered nationally or at a province.
        a: bool,
        /// Private hospital, school or kindergarten registered with civil affairs.
        b: bool,
    },
    /// Does not count.
    Out(OutReason),
}

/// Why a record of the register is not in scope; the first that holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum OutReason {
    /// No valid code: held for clarification.
    #[serde(rename = "NO_CODE")]
    NoCode,
    /// Prefix 8x: belongs in the union register.
    #[serde(rename = "UNION")]
    Union,
    /// Law and accounting firms: own figure.
    #[serde(rename = "SPILL_OVER")]
    SpillOver,
    /// Prefix 91: for profit.
    #[serde(rename = "OUT_FOR_PROFIT")]
    ForProfit,
    /// Prefix 12: public.
    #[serde(rename = "OUT_PUBLIC")]
    Public,
    /// Any other prefix.
    #[serde(rename = "OUT_KIND")]
    Kind,
    /// Right kind, registered too low and not in group B.
    #[serde(rename = "OUT_LEVEL")]
    Level,
    /// In scope by kind, but not registered at the date.
    #[serde(rename = "NOT_REGISTERED")]
    NotRegistered,
}

impl OutReason {
    /// Every reason, in the order in which they are tried.
    pub const ALL: [Self; 8] = [
        Self::NoCode,
        Self::Union,
        Self::SpillOver,
        Self::ForProfit,
        Self::Public,
        Self::Kind,
        Self::Level,
        Self::NotRegistered,
    ];

    /// The name in JSON and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoCode => "NO_CODE",
            Self::Union => "UNION",
            Self::SpillOver => "SPILL_OVER",
            Self::ForProfit => "OUT_FOR_PROFIT",
            Self::Public => "OUT_PUBLIC",
            Self::Kind => "OUT_KIND",
            Self::Level => "OUT_LEVEL",
            Self::NotRegistered => "NOT_REGISTERED",
        }
    }

    /// The reason of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }
}

/// Group B's categories under the settings in force.
pub fn is_group_b(category: Category, settings: &Settings) -> bool {
    match category {
        Category::Kindergarten | Category::School | Category::Hospital => true,
        Category::Nursery => settings.nurseries_in_scope,
        Category::Clinic => settings.clinics_are_hospitals,
        Category::Other => false,
    }
}

/// The scope of an organisation by code prefix, level and category; the recorded kind never decides (edge rule 10).
/// `level` is that of the code, or of the authority's own document where one is recorded.
/// Everything with prefix 91 is for profit and everything with prefix 12 public: OUT_KIND is for other prefixes.
pub fn classify(
    code: Option<&CreditCode>,
    category: Category,
    level: Level,
    accounting_firm: bool,
    settings: &Settings,
) -> Scope {
    let Some(code) = code else {
        return Scope::Out(OutReason::NoCode);
    };
    let prefix = code.prefix();
    if prefix.starts_with('8') {
        return Scope::Out(OutReason::Union);
    }
    if prefix == "31" || (accounting_firm && !matches!(prefix, "51" | "52" | "53")) {
        return Scope::Out(OutReason::SpillOver);
    }
    match prefix {
        "91" => Scope::Out(OutReason::ForProfit),
        "12" => Scope::Out(OutReason::Public),
        "51" | "52" | "53" => {
            let a = matches!(level, Level::National | Level::Province);
            let b = prefix == "52" && is_group_b(category, settings);
            if a || b {
                Scope::In { a, b }
            } else {
                Scope::Out(OutReason::Level)
            }
        }
        _ => Scope::Out(OutReason::Kind),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::organisation::level_of_code;

    #[test]
    fn the_first_reason_that_holds_is_given() {
        let settings = Settings::default();
        let both = Scope::In { a: true, b: true };
        let only_a = Scope::In { a: true, b: false };
        let only_b = Scope::In { a: false, b: true };
        for (first_16, category, firm, expected) in [
            ("51330000XXXX0001", Category::Other, false, only_a),
            ("52330000XXXX0001", Category::Hospital, false, both),
            ("52330106XXXX0001", Category::Kindergarten, false, only_b),
            ("53100000XXXX0001", Category::School, false, only_a),
            (
                "52330106XXXX0001",
                Category::Other,
                false,
                Scope::Out(OutReason::Level),
            ),
            (
                "52330106XXXX0001",
                Category::Nursery,
                false,
                Scope::Out(OutReason::Level),
            ),
            (
                "52330106XXXX0001",
                Category::Clinic,
                false,
                Scope::Out(OutReason::Level),
            ),
            (
                "53330100XXXX0001",
                Category::School,
                false,
                Scope::Out(OutReason::Level),
            ),
            (
                "91330106XXXX0001",
                Category::Hospital,
                false,
                Scope::Out(OutReason::ForProfit),
            ),
            (
                "91330106XXXX0001",
                Category::Other,
                true,
                Scope::Out(OutReason::SpillOver),
            ),
            (
                "31330106XXXX0001",
                Category::Other,
                false,
                Scope::Out(OutReason::SpillOver),
            ),
            (
                "12330106XXXX0001",
                Category::School,
                false,
                Scope::Out(OutReason::Public),
            ),
            (
                "81330106XXXX0001",
                Category::Other,
                false,
                Scope::Out(OutReason::Union),
            ),
            (
                "92330106XXXX0001",
                Category::Hospital,
                false,
                Scope::Out(OutReason::Kind),
            ),
            (
                "71330106XXXX0001",
                Category::Other,
                false,
                Scope::Out(OutReason::Kind),
            ),
        ] {
            let code = CreditCode::complete(first_16).expect(first_16);
            let scope = classify(Some(&code), category, level_of_code(&code), firm, &settings);
            assert_eq!(scope, expected, "{first_16} {category:?}");
        }
        assert_eq!(
            classify(None, Category::School, Level::County, false, &settings),
            Scope::Out(OutReason::NoCode)
        );
    }

    #[test]
    fn switches_bring_in_nurseries_and_clinics() {
        let code = CreditCode::complete("52330106XXXX0001").expect("a code");
        let settings = Settings {
            clinics_are_hospitals: true,
            nurseries_in_scope: true,
            ..Settings::default()
        };
        for category in [Category::Nursery, Category::Clinic] {
            let scope = classify(Some(&code), category, Level::County, false, &settings);
            assert_eq!(scope, Scope::In { a: false, b: true });
        }
    }
}
