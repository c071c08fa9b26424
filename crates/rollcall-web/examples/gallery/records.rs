//! Made-up unions, subsidies and funds, the same in the gallery and in the test that renders all templates.

use rollcall_web::form::Paging;
use rollcall_web::layout::{Frame, Pager};
use rollcall_web::page::entries::{EntryColumn, EntryRow, EntryTable};
use rollcall_web::page::money::{CaseRow, Fund, FundRow, Subsidies, Subsidy};
use rollcall_web::page::organisation::{FieldRow, HistoryRow, ValueLine};
use rollcall_web::page::unions::{CaseLink, Union, UnionFilter, UnionRow, UnionStanding, Unions, UnitRow};

const UNION: &str = "西湖区古荡街道社会组织联合工会";

fn table(frame: &Frame, name: &'static str, fields: &[&str], rows: &[&[&str]]) -> EntryTable {
    EntryTable {
        name,
        title: frame.term("list", name),
        columns: fields
            .iter()
            .map(|field| EntryColumn {
                title: frame.term("field", field),
                number: *field == "amount_fen",
            })
            .collect(),
        rows: rows
            .iter()
            .enumerate()
            .map(|(index, cells)| EntryRow {
                cells: cells.iter().map(|cell| (*cell).to_owned()).collect(),
                edit_href: (index != 1).then(|| "/organisations/edit".to_owned()),
                edit_key: "organisation.edit",
                cancelled: index == 1,
            })
            .collect(),
        new_href: Some("/organisations/edit".to_owned()),
    }
}

/// Contacts of an organisation.
pub(crate) fn contacts(frame: &Frame) -> EntryTable {
    let fields = ["on", "channel", "result", "next_on"];
    table(
        frame,
        "contacts",
        &fields,
        &[&["2024-05-06", "visit", "", "2024-06-06"]],
    )
}

fn ledger(frame: &Frame) -> EntryTable {
    let fields = ["entry", "on", "amount_fen", "entered_by"];
    let paid = frame.term("case_entry", "disbursed");
    let approved = frame.term("case_entry", "approved");
    table(
        frame,
        "entries",
        &fields,
        &[
            &[&paid, "2024-04-20", "5,000.00", "330106/li"],
            &[&paid, "2024-04-12", "50,000.00", "330106/li"],
            &[&approved, "2024-04-05", "5,000.00", "330106/zhao"],
        ],
    )
}

fn profile(frame: &Frame) -> Vec<FieldRow> {
    vec![FieldRow {
        field: "form",
        values: vec![ValueLine {
            text: frame.term("form", "joint"),
            from: None,
            source: None,
            document: Some("西工发〔2024〕3号".to_owned()),
        }],
        change_href: None,
    }]
}

fn history(frame: &Frame) -> Vec<HistoryRow> {
    vec![HistoryRow {
        at: frame.locale.moment(crate::sample::NOW_UNIX_MS),
        author: "330106/li".to_owned(),
        changes: vec![frame.term("case_entry", "approved")],
        reason: "2024-04-05".to_owned(),
        received: true,
        change_id: "9f31c2ab".to_owned(),
    }]
}

fn pager(address: String) -> Pager {
    Pager {
        page: 1,
        size: Paging::SIZE_DEFAULT,
        total: 120,
        address,
    }
}

/// The list of unions, one of every standing.
pub(crate) fn unions(frame: Frame) -> Unions {
    let filter = UnionFilter::default();
    Unions {
        rows: UnionStanding::ALL
            .into_iter()
            .map(|standing| UnionRow {
                href: "/unions/1".to_owned(),
                name: UNION.to_owned(),
                code: (standing == UnionStanding::Established).then(|| "81330106MC0000000X".to_owned()),
                form: if standing == UnionStanding::Founding {
                    ""
                } else {
                    "joint"
                },
                standing,
                established_on: (standing != UnionStanding::Founding).then(|| "2024-03-10".to_owned()),
                term_end: None,
                organisations: 12,
                higher_union: "330106 西湖区".to_owned(),
                conflicts: u64::from(standing == UnionStanding::Overdue),
                unsent: standing == UnionStanding::Founding,
            })
            .collect(),
        pager: pager(filter.address("/unions")),
        filter,
        new_href: Some("/organisations/edit".to_owned()),
        frame,
    }
}

/// One union.
pub(crate) fn union(frame: Frame) -> Union {
    let fields = ["event", "on", "number"];
    let established = frame.term("event", "established");
    Union {
        name: UNION.to_owned(),
        code: None,
        standing: UnionStanding::Established,
        fields: profile(&frame),
        lists: vec![
            table(
                &frame,
                "events",
                &fields,
                &[&[&established, "2024-03-10", "西工发〔2024〕3号"]],
            ),
            table(&frame, "other_units", &["on", "count"], &[]),
        ],
        units: vec![UnitRow {
            href: "/organisations/1".to_owned(),
            name: "西湖区古荡社区艺术培训学校".to_owned(),
            workers: Some(19),
            members: None,
            covered: true,
        }],
        units_total: 12,
        cases: vec![CaseLink {
            href: "/subsidies/1".to_owned(),
            text: frame.term("subsidy", "fixed_subsidy"),
            state: "DISBURSED",
            disbursed_fen: 500_000,
        }],
        conflicts: Vec::new(),
        problems: Vec::new(),
        refusals: Vec::new(),
        history: history(&frame),
        edit_href: Some("/organisations/edit".to_owned()),
        subsidy_href: Some("/organisations/edit".to_owned()),
        may_settle: false,
        frame,
    }
}

/// The list of cases and funds.
pub(crate) fn subsidies(frame: Frame) -> Subsidies {
    let filter = UnionFilter::default();
    let states = [
        "BUDGETED",
        "APPLIED",
        "APPROVED",
        "DISBURSED",
        "SETTLED",
        "RECOVERED",
        "REJECTED",
        "CANCELLED",
    ];
    Subsidies {
        year: 2025,
        sums: vec![
            (frame.text("fund.set_aside").to_owned(), 20_000_000),
            (frame.text("subsidy.disbursed").to_owned(), 500_000),
        ],
        rows: states
            .into_iter()
            .map(|state| CaseRow {
                href: "/subsidies/1".to_owned(),
                payee: UNION.to_owned(),
                kind: "fixed_subsidy",
                rule: "new-union · 2024".to_owned(),
                state,
                approved_fen: 500_000,
                disbursed_fen: 0,
                outstanding_fen: 500_000,
                conflicts: u64::from(state == "APPROVED"),
                unsent: state == "APPLIED",
            })
            .collect(),
        pager: pager(filter.address("/subsidies")),
        filter,
        funds: vec![FundRow {
            href: "/funds/1".to_owned(),
            federation: "330106 西湖区".to_owned(),
            year: "2024".to_owned(),
            set_aside_fen: 20_000_000,
            closing_fen: -1_250,
        }],
        new_href: Some("/organisations/edit".to_owned()),
        new_fund_href: Some("/organisations/edit".to_owned()),
        frame,
    }
}

/// One case.
pub(crate) fn subsidy(frame: Frame) -> Subsidy {
    Subsidy {
        payee: UNION.to_owned(),
        payee_href: Some("/unions/1".to_owned()),
        state: "DISBURSED",
        sums: vec![(frame.text("subsidy.disbursed").to_owned(), 500_000)],
        fields: profile(&frame),
        lists: vec![ledger(&frame)],
        conflicts: Vec::new(),
        problems: Vec::new(),
        refusals: Vec::new(),
        history: history(&frame),
        edit_href: Some("/organisations/edit".to_owned()),
        may_settle: false,
        frame,
    }
}

/// One fund.
pub(crate) fn fund(frame: Frame) -> Fund {
    Fund {
        title: frame.fill("subsidies.fund_of", &["330106 西湖区", "2024"]),
        sums: vec![(frame.text("subsidies.closing").to_owned(), 19_500_000)],
        lists: vec![ledger(&frame)],
        conflicts: Vec::new(),
        problems: Vec::new(),
        refusals: Vec::new(),
        history: history(&frame),
        may_settle: false,
        frame,
    }
}
