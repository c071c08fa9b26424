//! Names of divisions as lists write them: placeholders, endings, peoples.

use crate::term::Level;

/// What lists write in place of a city or county.
pub(super) const PLACEHOLDERS: &[&str] = &[
    "N/A",
    "无",
    "-",
    "市辖区",
    "县",
    "直辖",
    "省直辖",
    "自治区直辖县级行政区划",
    "省直辖县级行政区划",
    "省直辖县级行政单位",
];

const ENDINGS: &[&str] = &[
    "特别行政区",
    "自治区",
    "自治州",
    "自治县",
    "自治旗",
    "地区",
    "林区",
    "特区",
    "新区",
    "省",
    "市",
    "县",
    "区",
    "盟",
    "旗",
];

/// Peoples in the names of autonomous areas, longest first where one begins another.
const PEOPLES: &[&str] = &[
    "柯尔克孜",
    "维吾尔",
    "哈萨克",
    "鄂温克",
    "鄂伦春",
    "达斡尔",
    "塔吉克",
    "布朗",
    "傈僳",
    "拉祜",
    "景颇",
    "土家",
    "布依",
    "仡佬",
    "毛南",
    "仫佬",
    "裕固",
    "保安",
    "东乡",
    "撒拉",
    "锡伯",
    "蒙古",
    "朝鲜",
    "哈尼",
    "纳西",
    "普米",
    "独龙",
    "各族",
    "回",
    "藏",
    "苗",
    "彝",
    "壮",
    "侗",
    "瑶",
    "白",
    "傣",
    "黎",
    "畲",
    "羌",
    "土",
    "满",
    "佤",
    "水",
    "怒",
    "京",
];

/// Without white space and order marks around it.
pub(super) fn clean(name: &str) -> &str {
    name.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}')
}

/// Whether `given` is the name, or both are the same once the ending and the peoples are taken off.
pub(super) fn fits_name(name: &str, level: Level, given: &str) -> bool {
    name == given || (given.chars().count() >= 2 && short(name, level) == short(given, level))
}

fn short(name: &str, level: Level) -> &str {
    let Some(ending) = ENDINGS.iter().find(|ending| name.ends_with(**ending)) else {
        return name;
    };
    let mut rest = &name[..name.len() - ending.len()];
    if ending.starts_with("自治") {
        loop {
            let bare = rest.strip_suffix('族').unwrap_or(rest);
            let Some(people) = PEOPLES.iter().find(|people| bare.ends_with(**people)) else {
                break;
            };
            let cut = &bare[..bare.len() - people.len()];
            // 内蒙古 is a name, not a people.
            if cut.chars().count() < 2 || (level == Level::Province && cut.is_empty()) {
                break;
            }
            rest = cut;
        }
    }
    if rest.chars().count() >= 2 { rest } else { name }
}
