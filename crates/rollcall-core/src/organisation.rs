//! What an organisation is, as its code and name tell (`domain.md` 5 and edge rule 10).
//! Owns registration level, kind by prefix and category by name; leaves who counts to `scope`.

use crate::credit_code::CreditCode;
use crate::division::{Divisions, NATIONAL};
use crate::term::{Category, Kind, Level};

/// Level of a registration authority's code: the division tables (now or ever) first, because 41 current county
/// codes end in 01; then the city-level registers xxyy00 and xxyy01; else county.
pub fn level_of_division(code: u32) -> Level {
    if code == NATIONAL {
        return Level::National;
    }
    if let Some(level) = Divisions::get().level(code) {
        return level;
    }
    match (code / 100 % 100, code % 100) {
        (0, 0) => Level::Province,
        (_, 0 | 1) => Level::Prefecture,
        _ => Level::County,
    }
}

/// Registration level of a credit code: that of its positions 3 to 8.
pub fn level_of_code(code: &CreditCode) -> Level {
    level_of_division(code.division())
}

/// Kind that the prefix of a code stands for; `None` where the table of `domain.md` 9 has no such prefix (V04).
pub fn kind_of_prefix(prefix: &str) -> Option<Kind> {
    Some(match prefix {
        "51" => Kind::SocialGroup,
        "52" => Kind::PrivateNonEnterprise,
        "53" => Kind::Foundation,
        "91" | "92" | "93" | "99" => Kind::Enterprise,
        "12" => Kind::PublicInstitution,
        "31" => Kind::LawFirm,
        "81" | "89" => Kind::Union,
        "11" | "13" | "19" | "21" | "29" | "32" | "33" | "34" | "35" | "39" | "41" | "49" | "54" | "55"
        | "59" | "61" | "69" | "71" | "72" | "79" | "A1" | "A9" | "N1" | "N2" | "N3" | "N9" | "Y1" => {
            Kind::Other
        }
        _ => return None,
    })
}

/// Whether a recorded kind agrees with a prefix (V06).
pub fn kind_agrees(kind: Kind, prefix: &str) -> bool {
    kind_of_prefix(prefix).is_none_or(|expected| expected == kind)
}

/// Names that hold the words but are something else (`domain.md` 5, seen in real lists).
const TRAPS: &[&str] = &[
    "庄稼医院",
    "植物医院",
    "宠物医院",
    "动物医院",
    "食堂",
    "学校服务",
    "医院服务",
    "医院管理",
    "学校管理",
];
/// Bodies about schools and hospitals, which are none themselves.
const BODIES: &[&str] = &[
    "协会",
    "学会",
    "商会",
    "联合会",
    "促进会",
    "研究会",
    "联谊会",
    "校友会",
    "同学会",
    "基金会",
];
const KINDERGARTEN: &[&str] = &["幼儿园", "幼稚园"];
const NURSERY: &[&str] = &["托儿所", "托育"];
const HOSPITAL: &[&str] = &["医院", "护理院", "卫生院"];
const CLINIC: &[&str] = &["门诊部", "诊所"];
const SCHOOL: &[&str] = &["学校", "中学", "小学", "学院", "大学"];

/// Category by name, in the order of `domain.md` 5: kindergarten, nursery, hospital, clinic, school, other.
/// A recorded category wins over this.
pub fn category_of_name(name: &str) -> Category {
    let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
    let ends_as_body = {
        let bare = name.trim_end_matches([')', '）']);
        BODIES.iter().any(|word| bare.ends_with(word))
    };
    if ends_as_body || has(TRAPS) {
        Category::Other
    } else if has(KINDERGARTEN) {
        Category::Kindergarten
    } else if has(NURSERY) {
        Category::Nursery
    } else if has(HOSPITAL) {
        Category::Hospital
    } else if has(CLINIC) {
        Category::Clinic
    } else if has(SCHOOL) {
        Category::School
    } else {
        Category::Other
    }
}

/// Whether the name is that of an accounting firm, which is on the spill-over list.
pub fn is_accounting_firm(name: &str) -> bool {
    name.contains("会计师事务所")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_division_tables_decide_the_level_before_the_digits_do() {
        for (code, level) in [
            (100_000, Level::National),
            (330_000, Level::Province),
            (330_100, Level::Prefecture),
            (330_106, Level::County),
            (330_101, Level::Prefecture),
            (610_301, Level::Prefecture),
            (110_101, Level::County),
            (469_001, Level::County),
            (429_004, Level::County),
            (520_490, Level::County),
            (632_900, Level::Prefecture),
            (110_103, Level::County),
        ] {
            assert_eq!(level_of_division(code), level, "{code}");
        }
    }

    #[test]
    fn names_give_categories_and_traps_do_not() {
        for (name, category) in [
            ("兴国县供销社幼儿园", Category::Kindergarten),
            ("小太阳托儿所", Category::Nursery),
            ("平陆县供销社常乐双语学校", Category::School),
            ("杭州西湖职业培训学校", Category::School),
            ("绿城医院", Category::Hospital),
            ("康乐护理院", Category::Hospital),
            ("张氏中医诊所", Category::Clinic),
            ("大学城口腔门诊部", Category::Clinic),
            ("医学院附属医院", Category::Hospital),
            ("庄稼医院", Category::Other),
            ("植物医院", Category::Other),
            ("市第一医院食堂", Category::Other),
            ("阳光学校服务公司", Category::Other),
            ("民办幼儿园协会", Category::Other),
            ("西湖养老服务中心", Category::Other),
        ] {
            assert_eq!(category_of_name(name), category, "{name}");
        }
    }

    #[test]
    fn kinds_follow_the_prefix() {
        assert_eq!(kind_of_prefix("52"), Some(Kind::PrivateNonEnterprise));
        assert_eq!(kind_of_prefix("89"), Some(Kind::Union));
        assert_eq!(kind_of_prefix("85"), None);
        assert!(kind_agrees(Kind::Foundation, "53") && !kind_agrees(Kind::SocialGroup, "53"));
    }
}
