//! Made-up data for every page, the same in the gallery and in the test that renders all templates.

use rollcall_core::date::Day;
use rollcall_web::figure::{Bounds, Completeness, Figure, FigureLine, Known, Share, Target};
use rollcall_web::form::Paging;
use rollcall_web::layout::{AccountFace, Frame, NavigationItem, Pager, Tone};
use rollcall_web::page::edit::{Edit, EditField, EditInput, EditProblem};
use rollcall_web::page::import::{
    ImportChoice, ImportCounts, ImportPlan, ImportProblem, ImportRow, ImportState, ImportUpload,
};
use rollcall_web::page::organisation::{
    ConflictValue, ConflictView, CountRow, CoverageRow, ExclusionRow, FieldRow, HistoryRow, NextStep,
    Organisation, ProblemRow, RefusalRow, StageStep, ValueLine,
};
use rollcall_web::page::organisations::{
    OfferedRow, OrganisationFilter, OrganisationRow, Organisations, StandingFilter,
};
use rollcall_web::page::overview::{
    AreaOrder, AreaRow, FundSums, Overview, OverviewNote, StageRow, SubsidyRow,
};
use rollcall_web::page::sync::{AttentionRow, ByFile, ReceiptRow, SessionRow, Sync, SyncState, WaitingRow};
use rollcall_web::trend::{Trend, TrendPoint};

/// 3 January 2025, 10:11 in Beijing.
pub(crate) const NOW_UNIX_MS: i64 = 1_735_870_269_000;
const DAY_MS: i64 = 86_400_000;

/// Navigation of the node.
pub(crate) const NODE: [NavigationItem; 6] = [
    NavigationItem {
        text_key: "nav.overview",
        href: "/overview",
    },
    NavigationItem {
        text_key: "nav.organisations",
        href: "/organisations",
    },
    NavigationItem {
        text_key: "nav.subsidies",
        href: "/organisations/edit",
    },
    NavigationItem {
        text_key: "nav.import",
        href: "/import",
    },
    NavigationItem {
        text_key: "nav.conflicts",
        href: "/organisations/1",
    },
    NavigationItem {
        text_key: "nav.sync",
        href: "/sync",
    },
];

/// A frame with an account in it.
pub(crate) fn signed_in(mut frame: Frame) -> Frame {
    frame.navigation = NODE.to_vec();
    frame.account = Some(AccountFace {
        name: "陈静".to_owned(),
        role_key: "role.clerk",
    });
    frame.computed_from(day(2024, 12, 31), Some(18_234))
}

fn day(year: i32, month: u8, day: u8) -> Day {
    Day::from_ymd(year, month, day).expect("the sample's dates exist")
}

fn completeness(heard: u64, expected: u64, unheard: u64, days: i64) -> Completeness {
    Completeness {
        scopes_expected: expected,
        scopes_heard: heard,
        scopes_without_node: expected / 20,
        organisations_unheard: unheard,
        oldest_heard_unix_ms: (heard > 0).then_some(NOW_UNIX_MS - days * DAY_MS),
    }
}

/// Code, name, organisations in scope, eligible and covered, scopes heard and expected.
const PROVINCES: [(&str, &str, u64, u64, u64, u64, u64); 31] = [
    ("110000", "北京市", 5_210, 4_702, 4_236, 17, 17),
    ("120000", "天津市", 2_455, 2_190, 1_851, 17, 17),
    ("130000", "河北省", 13_520, 12_004, 9_870, 171, 179),
    ("140000", "山西省", 6_040, 5_377, 4_105, 118, 129),
    ("150000", "内蒙古自治区", 6_460, 5_801, 4_411, 101, 116),
    ("210000", "辽宁省", 9_290, 8_270, 7_140, 114, 115),
    ("220000", "吉林省", 5_450, 4_850, 3_777, 66, 70),
    ("230000", "黑龙江省", 7_500, 6_671, 4_889, 121, 135),
    ("310000", "上海市", 6_370, 5_730, 5_344, 17, 17),
    ("320000", "江苏省", 37_480, 33_350, 29_704, 109, 109),
    ("330000", "浙江省", 21_100, 18_780, 16_790, 102, 102),
    ("340000", "安徽省", 12_720, 11_320, 9_130, 119, 121),
    ("350000", "福建省", 12_080, 10_750, 9_288, 94, 94),
    ("360000", "江西省", 10_620, 9_450, 7_020, 108, 112),
    ("370000", "山东省", 21_130, 18_805, 16_230, 152, 153),
    ("410000", "河南省", 14_290, 12_720, 10_980, 174, 176),
    ("420000", "湖北省", 14_980, 13_330, 11_010, 115, 117),
    ("430000", "湖南省", 14_320, 12_745, 10_322, 131, 137),
    ("440000", "广东省", 27_490, 24_466, 21_090, 143, 144),
    ("450000", "广西壮族自治区", 11_030, 9_820, 7_090, 118, 126),
    ("460000", "海南省", 2_830, 2_520, 1_930, 25, 29),
    ("500000", "重庆市", 7_080, 6_300, 5_480, 39, 39),
    ("510000", "四川省", 18_290, 16_278, 13_570, 201, 205),
    ("520000", "贵州省", 5_620, 5_002, 3_510, 88, 98),
    ("530000", "云南省", 9_780, 8_704, 6_001, 131, 146),
    ("540000", "西藏自治区", 260, 231, 82, 21, 82),
    ("610000", "陕西省", 10_830, 9_640, 7_980, 114, 118),
    ("620000", "甘肃省", 9_370, 8_340, 4_902, 88, 101),
    ("630000", "青海省", 2_570, 2_290, 1_105, 40, 54),
    ("640000", "宁夏回族自治区", 2_790, 2_483, 1_998, 27, 28),
    ("650000", "新疆维吾尔自治区", 5_410, 4_815, 0, 0, 122),
];

/// The national overview.
pub(crate) fn overview(frame: Frame) -> Overview {
    let mut areas: Vec<AreaRow> = PROVINCES
        .iter()
        .enumerate()
        .map(
            |(index, (code, name, in_scope, eligible, covered, heard, expected))| AreaRow {
                code: Some((*code).to_owned()),
                name: (*name).to_owned(),
                href: Some(format!("/regions/{code}")),
                in_scope: if *heard == 0 { 0 } else { *in_scope },
                rate: if *heard == 0 {
                    Share::default()
                } else {
                    Share::new(*covered, *eligible)
                },
                met: (*heard > 0).then_some(covered * 100 >= eligible * 85),
                open_conflicts: (index as u64 * 7) % 5,
                completeness: Some(completeness(
                    *heard,
                    *expected,
                    (expected - heard) * 31,
                    index as i64 % 9,
                )),
            },
        )
        .collect();
    areas.push(AreaRow {
        code: None,
        name: frame.text("overview.direct_national").to_owned(),
        href: Some("/regions/100000".to_owned()),
        in_scope: 2_312,
        rate: Share::new(1_984, 2_207),
        met: Some(true),
        open_conflicts: 1,
        completeness: Some(completeness(1, 1, 0, 0)),
    });
    let sum = |value: fn(&AreaRow) -> u64| areas.iter().map(value).sum::<u64>();
    let rate = Share::new(sum(|row| row.rate.numerator), sum(|row| row.rate.denominator));
    let whole = Completeness {
        scopes_without_node: 174,
        ..completeness(
            sum(|row| row.completeness.map_or(0, |heard| heard.scopes_heard)),
            sum(|row| row.completeness.map_or(0, |heard| heard.scopes_expected)),
            sum(|row| row.completeness.map_or(0, |heard| heard.organisations_unheard)),
            8,
        )
    };
    let target = Target {
        date: day(2024, 12, 31),
        percent: 85,
        share: rate,
        met: Some(false),
        near: true,
        missing: (rate.denominator * 85)
            .div_ceil(100)
            .saturating_sub(rate.numerator),
    };
    let total = AreaRow {
        code: None,
        name: frame.text("overview.total").to_owned(),
        href: None,
        in_scope: sum(|row| row.in_scope),
        rate,
        met: Some(false),
        open_conflicts: sum(|row| row.open_conflicts),
        completeness: Some(whole),
    };
    let subsidies = vec![
        subsidy("special_fund", 412, 398, 4_120_500_000),
        subsidy("fixed_subsidy", 38_204, 36_980, 19_102_000_000),
        subsidy("project_subsidy", 1_266, 1_190, 5_812_345_678),
    ];
    let add = |value: fn(&SubsidyRow) -> i128| subsidies.iter().map(value).sum::<i128>();
    let subsidy_total = SubsidyRow {
        kind: "",
        cases: subsidies.iter().map(|row| row.cases).sum(),
        payees: 37_702,
        approved_fen: add(|row| row.approved_fen),
        disbursed_fen: add(|row| row.disbursed_fen),
        recovered_fen: add(|row| row.recovered_fen),
        duplicate_fen: add(|row| row.duplicate_fen),
        net_fen: add(|row| row.net_fen),
        outstanding_fen: add(|row| row.outstanding_fen),
    };
    Overview {
        area: "全国".to_owned(),
        headline: Figure {
            name_key: "figure.establishment_rate",
            share: rate,
            as_of: day(2024, 12, 31),
            known: Known {
                position: 18_234,
                unix_ms: Some(NOW_UNIX_MS),
                unsent: 0,
            },
            completeness: Some(whole),
            bounds: Some(Bounds {
                low: Share::new(rate.numerator - 2_104, rate.denominator),
                high: Share::new(rate.numerator + 3_870, rate.denominator),
            }),
            target: Some(target),
            href: Some("/explore".to_owned()),
        },
        lines: lines(&frame, rate, total.in_scope),
        targets: vec![
            Target {
                date: day(2023, 12, 31),
                percent: 60,
                met: Some(true),
                near: false,
                missing: 0,
                ..target
            },
            target,
            Target {
                date: day(2025, 6, 30),
                percent: 85,
                met: None,
                near: false,
                missing: 0,
                ..target
            },
        ],
        as_of: day(2024, 12, 31),
        known_at: None,
        notes: notes(&frame),
        order: AreaOrder::Area,
        order_hrefs: ("/".to_owned(), "/?order=rate".to_owned()),
        trend: trend(),
        areas,
        total,
        stages: stage_rows(),
        subsidies,
        subsidy_total,
        funds: FundSums {
            set_aside_fen: 31_250_000_000,
            passed_down_fen: 12_400_000_000,
            received_fen: 12_310_000_000,
            in_transit_fen: 90_000_000,
        },
        period: (day(2024, 1, 1), day(2024, 12, 31)),
        frame,
    }
}

fn trend() -> Trend {
    let points = (0..24_u64).map(|month| {
        let (year, number) = (2023 + month / 12, month % 12 + 1);
        let date = day(year as i32, number as u8, 1).month_end();
        let percent = if date == day(2024, 12, 31) { 85 } else { 60 };
        let share = Share::new(96_000 + month * 5_900, 281_000);
        TrendPoint {
            date,
            share,
            bounds: (month > 20).then(|| Bounds {
                low: share,
                high: Share::new(share.numerator + 9_000, share.denominator),
            }),
            target: Some((
                percent,
                Some(share.numerator * 100 >= percent * share.denominator),
            )),
            href: format!("/?as_of={date}"),
        }
    });
    Trend {
        points: points.collect(),
    }
}

fn lines(frame: &Frame, rate: Share, in_scope: u64) -> Vec<FigureLine> {
    let line = |name_key, numerator, denominator| FigureLine {
        name_key,
        share: Share::new(numerator, denominator),
        note: None,
        href: Some("/explore".to_owned()),
    };
    vec![
        line("figure.identified_rate", rate.numerator, in_scope),
        line("figure.strict_rate", rate.numerator - 6_020, rate.denominator),
        line("figure.group_a_rate", 21_877, 24_310),
        line("figure.group_b_rate", 229_030, 271_402),
        FigureLine {
            note: Some(frame.fill("figure.units_unknown", &["18,402"])),
            ..line("figure.membership_rate", 4_120_337, 5_021_908)
        },
        line("figure.mapping_progress", 0, 0),
    ]
}

fn notes(frame: &Frame) -> Vec<OverviewNote> {
    let [conflicts, transfers] = match frame.locale.tag() {
        "zh" => [
            "64 处未决分歧影响建会率，最多可变动 0.61 个百分点",
            "在途资金 900,000.00 元超过 30 天未确认收到",
        ],
        _ => [
            "64 open conflicts touch the rate; it can move by 0.61 points at most",
            "900,000.00 yuan were passed down more than 30 days ago and not recorded as received",
        ],
    };
    vec![
        OverviewNote {
            tone: Tone::Attention,
            text: conflicts.to_owned(),
            href: "/findings".to_owned(),
        },
        OverviewNote {
            tone: Tone::Waiting,
            text: transfers.to_owned(),
            href: "/subsidies".to_owned(),
        },
    ]
}

fn stage_rows() -> Vec<StageRow> {
    let counts = [
        ("identified", 21_301),
        ("mapped", 34_120),
        ("contacted", 12_877),
        ("applied", 3_410),
        ("founding_approved", 2_204),
        ("preparing", 980),
        ("elected", 611),
        ("established", 241_870),
    ];
    let row = |(stage, organisations)| StageRow {
        stage,
        organisations,
        href: Some(format!("/organisations?stage={stage}")),
    };
    counts.map(row).to_vec()
}

fn subsidy(kind: &'static str, cases: u64, payees: u64, approved_fen: i128) -> SubsidyRow {
    let disbursed_fen = approved_fen / 10 * 9;
    SubsidyRow {
        kind,
        cases,
        payees,
        approved_fen,
        disbursed_fen,
        recovered_fen: approved_fen / 400,
        duplicate_fen: approved_fen / 1_000,
        net_fen: disbursed_fen - approved_fen / 400 - approved_fen / 1_000,
        outstanding_fen: approved_fen - disbursed_fen,
    }
}

/// Name, code, kind, category, standing, reason, union and stage.
type Listed = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    StandingFilter,
    Option<&'static str>,
    Option<&'static str>,
    &'static str,
);

/// A page of the list of organisations.
pub(crate) fn organisations(frame: Frame, filter: OrganisationFilter) -> Organisations {
    const NAMES: [Listed; 9] = [
        (
            "杭州市西湖区翠苑第一幼儿园",
            "52330106MJ87654321",
            "private_non_enterprise",
            "kindergarten",
            StandingFilter::Covered,
            None,
            Some("西湖区翠苑街道社会组织联合工会"),
            "established",
        ),
        (
            "浙江育英职业技术学院",
            "52330000470071234X",
            "private_non_enterprise",
            "school",
            StandingFilter::Covered,
            None,
            Some("浙江育英职业技术学院工会"),
            "legal_person",
        ),
        (
            "杭州同德口腔医院",
            "52330106MJ9012345K",
            "private_non_enterprise",
            "hospital",
            StandingFilter::Uncovered,
            None,
            None,
            "elected",
        ),
        (
            "西湖区古荡社区艺术培训学校",
            "52330106MJ8345610T",
            "private_non_enterprise",
            "school",
            StandingFilter::Conflict,
            None,
            None,
            "contacted",
        ),
        (
            "浙江省茶叶产业协会",
            "51330000501870234M",
            "social_group",
            "other",
            StandingFilter::Covered,
            None,
            Some("浙江省农业行业协会联合工会"),
            "running",
        ),
        (
            "浙江省青年创业就业基金会",
            "53330000MJ8612340P",
            "foundation",
            "other",
            StandingFilter::Excluded,
            Some("HOST_STAFF"),
            None,
            "mapped",
        ),
        (
            "杭州西湖国际民办双语学校",
            "52330106MJ8777771Q",
            "private_non_enterprise",
            "school",
            StandingFilter::Uncovered,
            None,
            None,
            "founding_approved",
        ),
        (
            "杭州康复护理院有限公司",
            "91330106MA2B12345C",
            "enterprise",
            "hospital",
            StandingFilter::OutOfScope,
            Some("OUT_FOR_PROFIT"),
            None,
            "identified",
        ),
        (
            "三墩镇阳光老年活动中心",
            "",
            "private_non_enterprise",
            "other",
            StandingFilter::Held,
            None,
            None,
            "identified",
        ),
    ];
    let rows = NAMES.iter().enumerate().map(
        |(index, &(name, code, kind, category, standing, reason, union, stage))| OrganisationRow {
            href: "/organisations/1".to_owned(),
            name: name.to_owned(),
            code: (!code.is_empty()).then(|| code.to_owned()),
            kind,
            category,
            federation: "西湖区总工会".to_owned(),
            workers: (index != 8).then_some([42, 1_236, 87, 19, 11, 6, 154, 260, 0][index]),
            standing,
            reason: reason.map(str::to_owned),
            union_name: union.map(str::to_owned),
            union_href: union.map(|_| "/unions/1".to_owned()),
            stage,
            conflicts: u64::from(index == 3) * 2,
            unsent: index == 2 || index == 6,
        },
    );
    let pager = Pager {
        page: filter.paging.page,
        size: Paging::SIZE_DEFAULT,
        total: 612,
        address: filter.address("/organisations"),
    };
    Organisations {
        offered: vec![OfferedRow {
            name: "杭州市滨江区求知学校".to_owned(),
            href: "/organisations/2".to_owned(),
            sign_href: "/entries/2/handovers/h1".to_owned(),
            about: frame.fill(
                "organisations.offered_by",
                &["330108 滨江区", &frame.locale.day(day(2024, 12, 20))],
            ),
        }],
        rows: rows.collect(),
        pager,
        filter,
        export_href: Some("/organisations/export".to_owned()),
        new_href: Some("/organisations/edit".to_owned()),
        frame,
    }
}

/// One organisation with something in every part.
pub(crate) fn organisation(frame: Frame) -> Organisation {
    let date = |year, month, of_month| frame.locale.day(day(year, month, of_month));
    let value = |text: &str, from: Option<String>, source| ValueLine {
        text: text.to_owned(),
        from,
        source,
        document: None,
    };
    let fields = vec![
        FieldRow {
            field: "name",
            values: vec![
                value(
                    "西湖区古荡社区艺术培训学校",
                    Some(date(2019, 5, 1)),
                    Some("registry"),
                ),
                value("西湖区古荡少儿美术学校", Some(date(2009, 8, 12)), Some("import")),
            ],
            change_href: Some("/organisations/edit".to_owned()),
        },
        FieldRow {
            field: "kind",
            values: vec![value(&frame.term("kind", "private_non_enterprise"), None, None)],
            change_href: Some("/organisations/edit".to_owned()),
        },
        FieldRow {
            field: "category",
            values: vec![value(&frame.term("category", "school"), None, Some("check"))],
            change_href: Some("/organisations/edit".to_owned()),
        },
        FieldRow {
            field: "registered_on",
            values: vec![value(&date(2009, 8, 12), None, Some("registry"))],
            change_href: Some("/organisations/edit".to_owned()),
        },
        FieldRow {
            field: "registration_authority",
            values: vec![value("杭州市西湖区民政局", None, Some("registry"))],
            change_href: Some("/organisations/edit".to_owned()),
        },
        FieldRow {
            field: "address",
            values: vec![value("杭州市西湖区古荡街道文二西路 128 号", None, None)],
            change_href: Some("/organisations/edit".to_owned()),
        },
        FieldRow {
            field: "supervising_unit",
            values: vec![value("西湖区教育局", None, Some("import"))],
            change_href: Some("/organisations/edit".to_owned()),
        },
        FieldRow {
            field: "operating_state",
            values: Vec::new(),
            change_href: Some("/organisations/edit".to_owned()),
        },
    ];
    let coverage = vec![
        CoverageRow {
            union_name: "西湖区古荡街道社会组织联合工会".to_owned(),
            href: Some("/unions/1".to_owned()),
            form: "joint",
            from: date(2025, 1, 1),
            until: None,
            consent_on: None,
            counts: false,
            edit_href: Some("/organisations/edit".to_owned()),
        },
        CoverageRow {
            union_name: "西湖区民办教育工会联合会".to_owned(),
            href: None,
            form: "federation",
            from: date(2021, 3, 1),
            until: Some(date(2023, 6, 30)),
            consent_on: Some(date(2021, 3, 1)),
            counts: false,
            edit_href: Some("/organisations/edit".to_owned()),
        },
    ];
    let count = |on, source, workers, members, holds| CountRow {
        on,
        source,
        workers: Some(workers),
        members,
        female_members: members.map(|members| members / 2),
        holds,
        edit_href: Some("/organisations/edit".to_owned()),
    };
    let stages = [
        "identified",
        "mapped",
        "contacted",
        "applied",
        "founding_approved",
        "preparing",
        "elected",
        "established",
    ];
    let dates = [Some(date(2023, 5, 23)), None, Some(date(2024, 6, 18))];
    let steps = stages.iter().enumerate().map(|(index, stage)| StageStep {
        stage,
        on: dates.get(index).cloned().flatten(),
        reached: index <= 2,
        present: index == 2,
        edit_href: (index == 2).then(|| "/organisations/edit".to_owned()),
    });
    let english = frame.locale.tag() == "en";
    let pick = |chinese: &str, words: &str| {
        if english {
            words.to_owned()
        } else {
            chinese.to_owned()
        }
    };
    Organisation {
        name: "西湖区古荡社区艺术培训学校".to_owned(),
        code: Some("52330106MJ8345610T".to_owned()),
        standing: StandingFilter::Uncovered,
        reason: None,
        covered_by: None,
        next_step: Some(NextStep {
            text: pick(
                "发出建会意见书，三十日内取得书面答复。",
                "Send the written proposal and get an answer within thirty days.",
            ),
            basis: pick(
                "《工会法》第十二条第二款",
                "Trade Union Law, Article 12, paragraph 2",
            ),
        }),
        fields,
        coverage,
        counts: vec![
            count(date(2024, 6, 30), "check", 19, None, true),
            count(date(2022, 12, 31), "registry", 24, Some(8), false),
        ],
        exclusions: vec![ExclusionRow {
            reason: "DORMANT",
            from: date(2022, 2, 1),
            until: Some(date(2022, 12, 31)),
            approved_on: None,
            evidence: Some(pick("停课通知", "notice of closure")),
            edit_href: None,
        }],
        stages: steps.collect(),
        conflicts: vec![ConflictView {
            field: "supervising_unit".to_owned(),
            action: "/conflicts/settle".to_owned(),
            values: vec![
                ConflictValue {
                    id: "1".to_owned(),
                    text: "西湖区教育局".to_owned(),
                    author: "西湖区总工会 陈静".to_owned(),
                    at: date(2024, 12, 3),
                    reason: pick("按登记证更正", "corrected from the certificate"),
                },
                ConflictValue {
                    id: "2".to_owned(),
                    text: "西湖区文化和广电旅游体育局".to_owned(),
                    author: "杭州市总工会 周敏".to_owned(),
                    at: date(2024, 12, 2),
                    reason: pick("培训类归口调整", "training moved to another bureau"),
                },
            ],
        }],
        refusals: vec![RefusalRow {
            at: date(2025, 1, 2),
            code: "FOREIGN_AREA".to_owned(),
            message: frame.sentence("FOREIGN_AREA", ""),
            here: false,
        }],
        problems: vec![ProblemRow {
            code: "V17".to_owned(),
            tone: Tone::Waiting,
            message: pick(
                "联合工会尚未确认同意，覆盖关系暂不计入。",
                "The joint union has not consented yet; the link does not count.",
            ),
        }],
        history: vec![
            HistoryRow {
                at: frame.locale.moment(NOW_UNIX_MS),
                author: "西湖区总工会 陈静".to_owned(),
                changes: vec![pick(
                    "工会覆盖：新增 西湖区古荡街道社会组织联合工会",
                    "Coverage: added 西湖区古荡街道社会组织联合工会",
                )],
                reason: pick("街道统一组建", "founded street by street"),
                received: false,
                change_id: "9f31c2ab".to_owned(),
            },
            HistoryRow {
                at: frame.locale.moment(NOW_UNIX_MS - 31 * DAY_MS),
                author: "西湖区总工会 陈静".to_owned(),
                changes: vec![
                    pick("业务主管单位：西湖区教育局", "Supervising unit: 西湖区教育局"),
                    pick("职工人数：24 → 19", "Workers: 24 → 19"),
                ],
                reason: pick("实地核查", "visit"),
                received: true,
                change_id: "41d07be5".to_owned(),
            },
        ],
        lists: vec![crate::records::contacts(&frame)],
        edit_href: Some("/organisations/edit".to_owned()),
        entries_href: Some("/entries/1".to_owned()),
        may_settle: true,
        frame,
    }
}

/// The edit form after a refusal.
pub(crate) fn organisation_edit(frame: Frame) -> Edit {
    let field = |name, value: &str, input, problem: Option<&str>| EditField {
        name,
        label: frame.term("field", name),
        value: value.to_owned(),
        input,
        required: name == "name",
        hint: (name == "union").then(|| frame.text("edit.union_hint").to_owned()),
        problem: problem.map(str::to_owned),
    };
    let categories = ["kindergarten", "school", "hospital", "other"]
        .map(|name| (name.to_owned(), frame.term("category", name)));
    let unions = [("J1".to_owned(), "西湖区古荡街道社会组织联合工会".to_owned())];
    let (wrong, all) = match frame.locale.tag() {
        "zh" => ("应为整数", "职工人数无法识别，未保存。"),
        _ => (
            "must be a whole number",
            "The number of workers cannot be read; nothing was saved.",
        ),
    };
    Edit {
        title: "西湖区古荡社区艺术培训学校".to_owned(),
        action: "/organisations/edit".to_owned(),
        back_href: "/organisations/1".to_owned(),
        about: Some(frame.fill("edit.change_entry", &[frame.text("list.coverage")])),
        heads: "9f31c2ab".to_owned(),
        told: String::new(),
        standing: vec![(frame.term("field", "code"), "52330106MJ8345610T".to_owned())],
        save_key: "edit.save",
        may_withdraw: true,
        fields: vec![
            field("name", "西湖区古荡社区艺术培训学校", EditInput::Text, None),
            field("category", "school", EditInput::Select(categories.to_vec()), None),
            field(
                "address",
                "杭州市西湖区古荡街道文二西路 128 号",
                EditInput::Text,
                None,
            ),
            field("registered_on", "2009-08-12", EditInput::Date, None),
            field("workers", "十九", EditInput::Number, Some(wrong)),
            field("amount_fen", "5000.00", EditInput::Amount, None),
            field("union", "J1", EditInput::Suggest(unions.to_vec()), None),
        ],
        reason: String::new(),
        problems: vec![
            EditProblem {
                code: "NUMBER_INVALID".to_owned(),
                text: all.to_owned(),
                field: Some("workers".to_owned()),
                href: None,
            },
            EditProblem {
                code: "CODE_HELD".to_owned(),
                text: frame.sentence("CODE_HELD", ""),
                field: None,
                href: Some("/organisations/1".to_owned()),
            },
        ],
        frame,
    }
}

const COUNTS: ImportCounts = ImportCounts {
    rows_read: 1_284,
    new: 212,
    updated: 87,
    unchanged: 941,
    duplicate: 9,
    refused: 35,
};

/// The upload form with earlier imports.
pub(crate) fn import(frame: Frame) -> ImportUpload {
    let row = |file_name: &str, days: i64, undone: bool| ImportRow {
        href: "/import/plan".to_owned(),
        file_name: file_name.to_owned(),
        at: frame.locale.moment(NOW_UNIX_MS - days * DAY_MS),
        author: "陈静".to_owned(),
        counts: COUNTS,
        undone,
        undo_action: (!undone).then(|| "/import/undo".to_owned()),
    };
    ImportUpload {
        action: "/import".to_owned(),
        size_bytes_max: 20 * 1024 * 1024,
        encodings: vec!["utf-8", "gb18030"],
        chosen: ImportChoice {
            read_as: "unions".to_owned(),
            encoding: "gb18030".to_owned(),
            sheet: "2024".to_owned(),
        },
        problem: Some(frame.sentence("SHEET_UNKNOWN", "")),
        imports: vec![
            row("西湖区民政局2024年12月名单.xlsx", 1, false),
            row("民办学校名单（试）.csv", 40, true),
        ],
        frame,
    }
}

/// The result of a dry run.
pub(crate) fn import_plan(frame: Frame) -> ImportPlan {
    let english = frame.locale.tag() == "en";
    let pick = |chinese: &str, words: &str| {
        if english {
            words.to_owned()
        } else {
            chinese.to_owned()
        }
    };
    let problem = |row, column: &str, code: &str, message: String, tone| ImportProblem {
        row,
        column: column.to_owned(),
        code: code.to_owned(),
        message,
        tone,
    };
    ImportPlan {
        file_name: "西湖区民政局2024年12月名单.xlsx".to_owned(),
        file_sha256: "9b74c9897bac770ffc029102a200c5de5f1f3b6cf5f2b6b0a2c4f1a1be8d7f10".to_owned(),
        problem: None,
        encoding: "utf-8".to_owned(),
        read_as: "organisations",
        state: ImportState::DryRun,
        counts: COUNTS,
        scope: vec![
            ("A".to_owned(), 12),
            ("B".to_owned(), 604),
            ("OUT_LEVEL".to_owned(), 520),
            ("OUT_FOR_PROFIT".to_owned(), 148),
        ],
        columns: vec![
            ("单位名称".to_owned(), Some("name")),
            ("统一社会信用代码".to_owned(), Some("code")),
            ("成立日期".to_owned(), Some("registered_on")),
            ("住所".to_owned(), Some("address")),
            ("法定代表人".to_owned(), None),
        ],
        warnings: vec![pick(
            "第 1 行为标题行，已跳过。",
            "Row 1 is a title and was skipped.",
        )],
        problems: vec![
            problem(
                17,
                "统一社会信用代码",
                "CODE_CHECK_DIGIT",
                pick("校验位不符，应为 K。", "The check digit does not fit; K would."),
                Tone::Attention,
            ),
            problem(
                203,
                "成立日期",
                "DATE_INVALID",
                pick("“2026-02-30”不是日期。", "2026-02-30 is no date."),
                Tone::Attention,
            ),
            problem(
                1_120,
                "",
                "FOREIGN_JURISDICTION",
                pick("由余杭区总工会负责。", "Belongs to the federation of Yuhang."),
                Tone::Waiting,
            ),
        ],
        problems_total: 35,
        rejects_href: Some("/import/rejects".to_owned()),
        commit_action: Some("/import/commit".to_owned()),
        undo_action: Some("/import/drop".to_owned()),
        frame,
    }
}

/// The sync page with changes waiting.
pub(crate) fn sync(frame: Frame) -> Sync {
    let english = frame.locale.tag() == "en";
    let pick = |chinese: &str, words: &str| {
        if english {
            words.to_owned()
        } else {
            chinese.to_owned()
        }
    };
    let receipt = |days: i64, documents, position, digest: &str, verified| ReceiptRow {
        at: frame.locale.moment(NOW_UNIX_MS - days * DAY_MS),
        documents,
        digest: digest.to_owned(),
        position,
        verified,
    };
    let session = |days: i64, outcome, pushed_changes, bytes, reason: Option<String>| SessionRow {
        at: frame.locale.moment(NOW_UNIX_MS - days * DAY_MS),
        outcome,
        reason,
        pushed_changes,
        pulled_changes: pushed_changes / 3,
        bytes,
        duration_ms: 38,
    };
    Sync {
        state: SyncState {
            documents: 312,
            waiting_changes: 14,
            waiting_since_unix_ms: Some(NOW_UNIX_MS - 3 * DAY_MS),
            attention: 0,
            proven_unix_ms: Some(NOW_UNIX_MS - 3 * DAY_MS),
            proven_by_file: false,
            connected: false,
            enrolled: true,
            failing: None,
        },
        failure: Some(frame.fill("sync.failed", &["8:00", &frame.sentence("CANNOT_CONNECT", "")])),
        start_action: Some("/sync".to_owned()),
        by_file: Some(ByFile {
            file_action: "/sync/file".to_owned(),
            answer_action: "/sync/answer".to_owned(),
            size_bytes_max: 256 * 1024 * 1024,
        }),
        waiting: vec![WaitingRow {
            name: "西湖区古荡社区艺术培训学校".to_owned(),
            href: Some("/organisations/1".to_owned()),
            at: frame.locale.moment(NOW_UNIX_MS - 3 * DAY_MS),
            author: "陈静".to_owned(),
            reason: pick("街道统一组建", "founded street by street"),
        }],
        attention: vec![AttentionRow {
            name: "杭州同德口腔医院".to_owned(),
            href: Some("/organisations/1".to_owned()),
            code: "POISON_CHANGE".to_owned(),
            message: pick(
                "一项修改无法应用，已隔离。请联系上级。",
                "One change cannot be applied and is kept apart. Ask the office above.",
            ),
        }],
        receipts: vec![
            receipt(3, 312, 18_201, "5d41402abc4b2a76b9719d911017c592aa8f1b3c", true),
            receipt(4, 309, 18_004, "7d793037a0760186574b0282f2f435e7c1a0be22", true),
        ],
        sessions: vec![
            session(3, "in_sync", 0, 812, None),
            session(4, "caught_up", 17, 21_540, None),
            session(5, "failed", 0, 0, Some(pick("连接超时", "connection timed out"))),
        ],
        aggregator: Some("https://hub.acftu.example:7443".to_owned()),
        store_epoch: "e4a1-0007".to_owned(),
        certificate_until: Some(frame.locale.day(day(2025, 11, 23))),
        certificate_tone: Tone::Good,
        frame,
    }
}
