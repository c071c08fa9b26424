//! The words that lists use for the closed lists of the field; the names of the record format are understood too.

use rollcall_core::term::{Category, Kind, RegistrationStatus, UnionForm};

pub(crate) fn form_of_name(name: &str) -> UnionForm {
    if name.contains("工会联合会") {
        UnionForm::Federation
    } else if name.contains("联合工会") {
        UnionForm::Joint
    } else {
        UnionForm::Own
    }
}

pub(crate) fn kind_of(text: &str) -> Option<Kind> {
    Kind::from_name(text).or(match text {
        "社会团体" | "社团" => Some(Kind::SocialGroup),
        "民办非企业单位" | "民办非企业" | "民非" | "社会服务机构" => {
            Some(Kind::PrivateNonEnterprise)
        }
        "基金会" => Some(Kind::Foundation),
        "企业" => Some(Kind::Enterprise),
        "事业单位" => Some(Kind::PublicInstitution),
        "律师事务所" => Some(Kind::LawFirm),
        _ => None,
    })
}

pub(crate) fn category_of(text: &str) -> Option<Category> {
    Category::from_name(text).or(match text {
        "幼儿园" => Some(Category::Kindergarten),
        "托儿所" => Some(Category::Nursery),
        "学校" => Some(Category::School),
        "医院" => Some(Category::Hospital),
        "诊所" | "门诊部" => Some(Category::Clinic),
        _ => None,
    })
}

pub(crate) fn status_of(text: &str) -> Option<RegistrationStatus> {
    RegistrationStatus::from_name(text).or(match text {
        "正常" | "存续" | "在业" | "已登记" => Some(RegistrationStatus::Registered),
        "注销" | "已注销" => Some(RegistrationStatus::Deregistered),
        "撤销" | "已撤销" | "吊销" => Some(RegistrationStatus::Revoked),
        "取缔" | "已取缔" => Some(RegistrationStatus::Banned),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_lists_and_of_records_mean_the_same() {
        assert_eq!(kind_of("社会服务机构"), kind_of("private_non_enterprise"));
        assert_eq!(category_of("幼儿园"), category_of("kindergarten"));
        assert_eq!(status_of("注销"), status_of("deregistered"));
        assert_eq!(
            (kind_of("俱乐部"), category_of("职业培训"), status_of("?")),
            (None, None, None)
        );
    }

    #[test]
    fn the_name_of_a_union_tells_its_form() {
        for (name, form) in [
            ("云信商贸有限公司工会委员会", UnionForm::Own),
            ("秀山路街道联合工会委员会", UnionForm::Joint),
            ("武汉市江汉区房地产公司工会联合会", UnionForm::Federation),
        ] {
            assert_eq!(form_of_name(name), form, "{name}");
        }
    }
}
