//! Which column means what: heads guessed (`domain.md` 14), overridden by `COLUMN=FIELD`.
//! Owns the fields, the known heads and the columns of persons, which are dropped; leaves finding the head row to
//! `header`.

use rollcall_core::problem::Problem;
use unicode_normalization::UnicodeNormalization;

macro_rules! fields {
    ($($(#[$doc:meta])* $field:ident = $name:literal, $title:literal, [$($head:literal),* $(,)?];)+) => {
        /// What a column holds.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Field {
            $($(#[$doc])* $field,)+
        }

        impl Field {
            /// Every field.
            pub const ALL: &[Self] = &[$(Self::$field,)+];

            /// The name in `--map COLUMN=FIELD`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$field => $name,)+ }
            }

            /// The head of its column in lists that we write.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$field => $title,)+ }
            }

            /// Heads that mean it, in the form of [`normalise_head`].
            const fn heads(self) -> &'static [&'static str] {
                match self { $(Self::$field => &[$($head),*],)+ }
            }
        }
    };
}

fields! {
    /// Document id or own name of a record; makes an exported list come back as updates.
    Id = "id", "记录编号", ["记录编号", "id", "record id", "document id"];
    /// Unified social credit code.
    Code = "code", "统一社会信用代码", ["统一社会信用代码", "信用代码", "社会信用代码", "统一信用代码", "统一代码", "code",
        "credit code", "unified social credit code", "uscc", "工会统一社会信用代码", "工会法人统一社会信用代码"];
    /// Name.
    Name = "name", "名称", ["社会组织名称", "机构名称", "单位名称", "企业名称", "组织名称", "名称", "工会名称", "基层工会名称",
        "name", "organisation name", "organization name", "union name", "organisation", "organization"];
    /// Province by name.
    Province = "province", "省份", ["所在省份", "省份", "省", "所属省份", "省市", "province"];
    /// Prefecture, or prefecture or district, by name.
    City = "city", "地市", ["地区", "城市", "所在城市", "市", "地市", "所属城市", "所在地区", "city", "prefecture"];
    /// County by name.
    County = "county", "区县", ["区县", "县区", "县(市、区)", "所在区县", "所属区县", "县", "区", "行政区", "area", "county", "district"];
    /// Division code of the location.
    Location = "location", "所在地代码", ["所在地代码", "行政区划代码", "区划代码", "location", "division code"];
    /// Address.
    Address = "address", "住所", ["住所", "注册地址", "地址", "详细地址", "单位地址", "办学地址", "通讯地址", "address"];
    /// Registration date.
    RegisteredOn = "registered_on", "成立登记日期", ["成立登记日期", "成立日期", "注册日期", "登记日期", "成立时间", "注册时间",
        "registered on", "registered_on", "registration date", "date of registration"];
    /// 社会组织类型 and the like.
    Kind = "kind", "社会组织类型", ["社会组织类型", "组织类型", "kind"];
    /// Category of its work.
    Category = "category", "类别", ["类别", "category"];
    /// 登记状态.
    RegistrationStatus = "registration_status", "登记状态", ["登记状态", "状态", "status", "registration_status", "registration status"];
    /// Date of a status that ends the registration.
    StatusOn = "status_on", "注销日期", ["注销日期", "撤销日期", "status_on", "status date"];
    /// 业务主管单位.
    SupervisingUnit = "supervising_unit", "业务主管单位", ["业务主管单位", "主管单位", "supervising_unit", "supervising unit"];
    /// Division code of the registration authority; a name in the column is not read.
    RegistrationAuthority = "registration_authority", "登记机关代码", ["登记机关代码", "registration_authority", "registration authority"];
    /// Responsible federation.
    Responsible = "responsible", "负责工会", ["负责工会", "属地工会代码", "responsible", "responsible federation"];
    /// Workers.
    Workers = "workers", "职工人数", ["职工人数", "职工数", "从业人数", "从业人员数", "员工人数", "在职职工数", "workers", "employees"];
    /// Members.
    Members = "members", "会员人数", ["会员人数", "会员数", "工会会员数", "members"];
    /// Female members.
    FemaleMembers = "female_members", "女会员人数", ["女会员人数", "女会员数", "female_members", "female members"];
    /// Date of the figures.
    CountedOn = "counted_on", "统计日期", ["统计日期", "数据日期", "统计时间", "counted_on", "counted on", "as of"];
    /// Number of before 2015.
    LegacyNumber = "legacy_number", "原登记证号", ["原登记证号", "登记证号", "原注册号", "legacy_number", "legacy number"];
    /// Form of a union.
    Form = "form", "工会形式", ["工会形式", "建会形式", "form"];
    /// Federation above a union.
    HigherUnion = "higher_union", "上级工会代码", ["上级工会代码", "属地工会机构代码", "higher_union", "higher union"];
    /// Employer of an own union: code or id.
    Employer = "organisation", "所属单位代码", ["所属单位代码", "所属单位信用代码", "employer code"];
    /// Left out on purpose.
    Ignore = "ignore", "", ["序号", "编号", "no.", "no", "#", "退回原因"];
}

/// Head of the column that a reject file adds; read again it is left out.
pub(crate) const REASON_TITLE: &str = "退回原因";

/// Parts of heads over data of persons, which are never read.
const PERSONAL: &[&str] = &[
    "法定代表人",
    "法人代表",
    "法人姓名",
    "负责人",
    "联系人",
    "电话",
    "手机",
    "身份证",
    "邮箱",
    "电子邮件",
    "银行账号",
    "银行卡",
    "姓名",
    "出生",
    "主席",
    "园长",
    "校长",
    "院长",
    "phone",
    "telephone",
    "mobile",
    "e-mail",
    "email",
    "id card",
    "contact person",
    "legal representative",
];

/// A column of a list and what is made of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Head as written.
    pub head: String,
    /// What it means.
    pub meaning: Meaning,
}

/// What is made of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// Read as this field.
    Field(Field),
    /// Data of persons: dropped.
    Personal,
    /// Not understood: left out and reported.
    Unknown,
}

impl Field {
    /// The field of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|field| field.name() == name.trim())
    }
}

/// A head without blanks around, in half width and small letters.
pub(crate) fn normalise_head(head: &str) -> String {
    let text: String = head.nfkc().flat_map(char::to_lowercase).collect();
    let text =
        text.trim_matches(|c: char| c.is_whitespace() || matches!(c, '*' | ':' | '\u{feff}' | '\u{200b}'));
    if text.is_ascii() {
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    } else {
        text.split_whitespace().collect()
    }
}

/// Whether a head says anything at all to us.
pub(crate) fn is_known_head(head: &str) -> bool {
    head.len() <= 120 && {
        let head = normalise_head(head);
        exact_field(&head).is_some() || is_personal(&head)
    }
}

fn exact_field(head: &str) -> Option<Field> {
    let find = |head: &str| {
        Field::ALL
            .iter()
            .copied()
            .find(|field| field.heads().contains(&head))
    };
    // 注册日期(年月日)
    find(head).or_else(|| head.split_once('(').and_then(|(before, _)| find(before.trim())))
}

fn is_personal(head: &str) -> bool {
    head.chars().count() <= 20 && PERSONAL.iter().any(|part| head.contains(part))
}

/// Finds the meaning of every column. Problems that only inform come with the columns.
pub(crate) fn assign(
    heads: &[&str],
    map: &[(String, String)],
) -> Result<(Vec<Column>, Vec<Problem>), Problem> {
    let normalised: Vec<String> = heads.iter().map(|head| normalise_head(head)).collect();
    for (index, head) in normalised.iter().enumerate() {
        if !head.is_empty() && normalised[..index].contains(head) {
            return Err(Problem::error(
                "COLUMN_TWICE",
                heads[index],
                format!(
                    "Two columns are called {:?}; rename or delete one.",
                    heads[index].trim()
                ),
            ));
        }
    }
    let mut meanings = vec![None; heads.len()];
    for (column, field) in map {
        let wanted = normalise_head(column);
        let index = normalised
            .iter()
            .position(|head| *head == wanted)
            .ok_or_else(|| missing(column, heads))?;
        let field = Field::from_name(field).ok_or_else(|| {
            let names: Vec<&str> = Field::ALL.iter().map(|field| field.name()).collect();
            Problem::error(
                "FIELD_UNKNOWN",
                column.as_str(),
                format!("{field:?} is no field; use one of {}.", names.join(", ")),
            )
        })?;
        if is_personal(&wanted) && field != Field::Ignore {
            return Err(Problem::error(
                "V37",
                column.as_str(),
                format!("{column:?} holds data of persons and is never read."),
            ));
        }
        meanings[index] = Some(Meaning::Field(field));
    }
    let is_taken = |meanings: &[Option<Meaning>], field| meanings.contains(&Some(Meaning::Field(field)));
    for (index, head) in normalised.iter().enumerate() {
        if meanings[index].is_some() {
            continue;
        }
        meanings[index] = match exact_field(head) {
            Some(field) if field == Field::Ignore || !is_taken(&meanings, field) => {
                Some(Meaning::Field(field))
            }
            _ if is_personal(head) => Some(Meaning::Personal),
            _ => None,
        };
    }
    // 幼儿园名称, 园所地址: only where no column says it plainly.
    for (field, endings) in [
        (Field::Name, ["名称", "name"]),
        (Field::Address, ["地址", "address"]),
    ] {
        let open = |index: usize| meanings[index].is_none() && exact_field(&normalised[index]).is_none();
        let found = (0..heads.len())
            .find(|index| open(*index) && endings.iter().any(|end| normalised[*index].ends_with(end)));
        if let Some(index) = found.filter(|_| !is_taken(&meanings, field)) {
            meanings[index] = Some(Meaning::Field(field));
        }
    }
    let mut problems = Vec::new();
    let mut columns = Vec::with_capacity(heads.len());
    for (head, meaning) in heads.iter().zip(meanings) {
        let head = head.trim().to_owned();
        let meaning = meaning.unwrap_or(Meaning::Unknown);
        match meaning {
            Meaning::Unknown if !head.is_empty() => problems.push(Problem::warning(
                "COLUMN_UNKNOWN",
                head.as_str(),
                format!("The column {head:?} is left out. Map it to a field, or to ignore."),
            )),
            Meaning::Personal => problems.push(Problem::warning(
                "COLUMN_PERSONAL",
                head.as_str(),
                format!("The column {head:?} holds data of persons and was not read."),
            )),
            _ => {}
        }
        columns.push(Column { head, meaning });
    }
    Ok((columns, problems))
}

/// A required column is not there.
pub(crate) fn missing(wanted: &str, heads: &[&str]) -> Problem {
    let found: Vec<&str> = heads
        .iter()
        .map(|head| head.trim())
        .filter(|head| !head.is_empty())
        .collect();
    Problem::error(
        "COLUMN_MISSING",
        wanted,
        format!("There is no column {wanted:?}. Found: {}.", found.join(", ")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meanings(heads: &[&str], map: &[(&str, &str)]) -> Result<Vec<Meaning>, String> {
        let map: Vec<(String, String)> = map
            .iter()
            .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
            .collect();
        let (columns, _) = assign(heads, &map).map_err(|problem| problem.code)?;
        Ok(columns.into_iter().map(|column| column.meaning).collect())
    }

    #[test]
    fn heads_are_guessed_in_any_order_case_and_width() {
        use Meaning::{Field as F, Personal, Unknown};
        for (heads, expected) in [
            (
                &["企业名称", "统一社会信用代码", "注册日期"][..],
                vec![F(Field::Name), F(Field::Code), F(Field::RegisteredOn)],
            ),
            (
                &["序号", "幼儿园名称", "地址"],
                vec![F(Field::Ignore), F(Field::Name), F(Field::Address)],
            ),
            (
                &["ＮＡＭＥ ", " Province", "area"],
                vec![F(Field::Name), F(Field::Province), F(Field::County)],
            ),
            (
                &["机构名称*", "联系电话", "hours"],
                vec![F(Field::Name), Personal, Unknown],
            ),
            (
                &["名称", "成立日期(年月日)", "法定代表人(负责人)"],
                vec![F(Field::Name), F(Field::RegisteredOn), Personal],
            ),
            (&["名称", "机构名称"], vec![F(Field::Name), Unknown]),
        ] {
            assert_eq!(meanings(heads, &[]), Ok(expected), "{heads:?}");
        }
    }

    #[test]
    fn a_mapping_wins_and_a_wrong_one_is_refused() {
        let heads = &["园所", "date", "联系电话"][..];
        assert_eq!(
            meanings(heads, &[("园所", "name"), ("DATE", "registered_on")]).expect("maps")[..2],
            [Meaning::Field(Field::Name), Meaning::Field(Field::RegisteredOn)]
        );
        for (map, code) in [
            (("date", "birthday"), "FIELD_UNKNOWN"),
            (("nowhere", "name"), "COLUMN_MISSING"),
            (("联系电话", "address"), "V37"),
        ] {
            assert_eq!(meanings(heads, &[map]), Err(code.to_owned()));
        }
        assert_eq!(meanings(&["名称", " 名称"], &[]), Err("COLUMN_TWICE".to_owned()));
    }

    #[test]
    fn no_two_fields_share_a_head_or_a_name() {
        let mut heads: Vec<&str> = Field::ALL
            .iter()
            .flat_map(|field| field.heads())
            .copied()
            .collect();
        heads.extend(
            Field::ALL
                .iter()
                .map(|field| field.title())
                .filter(|title| !title.is_empty())
                .filter(|title| !Field::ALL.iter().any(|field| field.heads().contains(title))),
        );
        let all = heads.len();
        heads.sort_unstable();
        heads.dedup();
        assert_eq!(heads.len(), all);
        assert!(
            Field::ALL
                .iter()
                .all(|field| Field::from_name(field.name()) == Some(*field))
        );
    }
}
