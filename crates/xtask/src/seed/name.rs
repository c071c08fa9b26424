//! Names that look real, for organisations and unions; no two alike in a federation of ordinary size.

use rollcall_core::term::{Category, Kind};

use super::chance::Chance;

const FIRST: [&str; 60] = [
    "晨", "启", "育", "明", "博", "文", "和", "康", "安", "新", "春", "阳", "星", "金", "慧", "智", "乐",
    "童", "嘉", "华", "润", "宏", "德", "仁", "同", "众", "益", "景", "清", "秀", "锦", "华", "瑞", "祥",
    "凯", "远", "志", "诚", "信", "弘", "朝", "旭", "蓝", "青", "绿", "红", "百", "千", "东", "南", "西",
    "北", "中", "天", "海", "江", "山", "林", "荷", "桂",
];
const SECOND: [&str; 53] = [
    "光", "智", "才", "德", "雅", "园", "苑", "泰", "宁", "苗", "蕾", "芽", "晖", "辰", "翔", "飞", "达",
    "成", "兴", "盛", "源", "泉", "海", "林", "山", "川", "云", "月", "星", "辉", "华", "英", "杰", "贤",
    "良", "善", "爱", "慈", "惠", "民", "乡", "城", "桥", "湖", "溪", "河", "岭", "峰", "原", "野", "禾",
    "穗", "竹",
];
const FIELDS: [&str; 40] = [
    "纺织",
    "食品",
    "茶叶",
    "建筑",
    "物流",
    "软件",
    "电子商务",
    "养殖",
    "蔬菜",
    "水果",
    "餐饮",
    "旅游",
    "摄影",
    "书法",
    "美术",
    "音乐",
    "舞蹈",
    "太极拳",
    "羽毛球",
    "篮球",
    "钓鱼",
    "老年体育",
    "志愿服务",
    "民俗文化",
    "中医药",
    "护理",
    "口腔医学",
    "心理健康",
    "律师",
    "会计",
    "机械",
    "化工",
    "汽车维修",
    "家政服务",
    "园林",
    "环境保护",
    "消防",
    "统计",
    "档案",
    "女企业家",
];

/// What a name is made for.
pub(crate) struct Subject<'a> {
    pub(crate) kind: Kind,
    pub(crate) category: Category,
    pub(crate) region: &'a str,
    pub(crate) national: bool,
    /// Counted within the federation; near numbers give different words.
    pub(crate) number: u64,
}

/// Two characters, different for the first three thousand numbers.
fn word(number: u64) -> String {
    let place = number * 1087 % (60 * 53);
    format!(
        "{}{}",
        FIRST[(place % 60) as usize],
        SECOND[(place / 60) as usize]
    )
}

/// A name of an organisation.
pub(crate) fn organisation(subject: &Subject<'_>, chance: &mut Chance) -> String {
    let word = word(subject.number);
    let region = if subject.national { "" } else { subject.region };
    match (subject.kind, subject.category) {
        (Kind::Foundation, _) => {
            format!(
                "{region}{word}{}",
                chance.pick(&["公益基金会", "慈善基金会", "教育基金会", "医疗救助基金会"])
            )
        }
        (Kind::SocialGroup, _) => {
            let start = if subject.national { "中国" } else { region };
            let field = FIELDS[(subject.number * 7 % 40) as usize];
            format!(
                "{start}{field}{word}{}",
                chance.pick(&["协会", "学会", "商会", "促进会", "联合会", "研究会"])
            )
        }
        (_, Category::Kindergarten) => {
            format!(
                "{region}{word}{}",
                chance.pick(&["幼儿园", "幼儿园", "实验幼儿园", "双语幼儿园", "艺术幼儿园"])
            )
        }
        (_, Category::Nursery) => format!("{region}{word}托儿所"),
        (_, Category::School) => {
            format!(
                "{region}{word}{}",
                chance.pick(&["学校", "实验学校", "小学", "职业培训学校", "中学", "外国语学校"])
            )
        }
        (_, Category::Hospital) => {
            format!(
                "{region}{word}{}",
                chance.pick(&["医院", "康复医院", "中医医院", "护理院", "骨科医院"])
            )
        }
        (_, Category::Clinic) => format!(
            "{region}{word}{}",
            chance.pick(&["口腔门诊部", "中医诊所", "综合门诊部"])
        ),
        (_, Category::Other) => format!(
            "{region}{word}{}",
            chance.pick(&[
                "社会工作服务中心",
                "养老服务中心",
                "教育培训中心",
                "体育俱乐部",
                "艺术馆",
                "科技服务中心",
                "残疾人服务站",
                "职业技能培训中心",
            ])
        ),
    }
}

/// Name of an own union.
pub(crate) fn own_union(organisation: &str) -> String {
    format!("{organisation}工会委员会")
}

/// Name of a joint union.
pub(crate) fn joint_union(region: &str, number: u64) -> String {
    format!("{region}{}社会组织联合工会委员会", word(number))
}

/// Name of a union federation.
pub(crate) fn federation(region: &str, number: u64) -> String {
    format!("{region}{}行业工会联合会", FIELDS[(number % 40) as usize])
}

/// An address in a place.
pub(crate) fn address(region: &str, chance: &mut Chance) -> String {
    let road = word(chance.below(3_000));
    format!(
        "{region}{road}路{}号{}幢{}室",
        chance.between(1, 980),
        chance.between(1, 40),
        chance.between(101, 2808)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_numbers_give_different_words() {
        let words: std::collections::BTreeSet<String> = (0..3_000).map(word).collect();
        assert!(words.len() > 2_900, "{}", words.len());
    }
}
