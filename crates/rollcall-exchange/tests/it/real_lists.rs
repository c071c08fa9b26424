//! The whole lists, where they are at hand; the known properties of each file stand in its `README.md`.
#![expect(
    clippy::print_stderr,
    reason = "says what was measured, and that a test was skipped"
)]

use std::io::Cursor;
use std::path::PathBuf;
use std::time::Instant;

use rollcall_core::credit_code::CreditCode;
use rollcall_exchange::{Known, ListFormat, ListWriter, ReadOptions, plan, read_list};

use crate::{Register, settings};

fn data(name: &str) -> Option<Vec<u8>> {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "../../../shared/data", name]
        .iter()
        .collect();
    let bytes = std::fs::read(&path).ok();
    if bytes.is_none() {
        eprintln!("skipped: {} is not at hand", path.display());
    }
    bytes
}

fn peak_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM"));
    line.and_then(|line| line.split_whitespace().nth(1))
        .and_then(|number| number.parse().ok())
        .unwrap_or(0)
}

#[test]
fn every_file_has_its_known_properties() {
    for (name, read_as, encoding, rows, new, duplicate, refused, scope) in [
        (
            "cn_forprofit_schools_hospitals.csv",
            "organisations",
            "UTF-8",
            3030,
            3029,
            0,
            1,
            &[("OUT_FOR_PROFIT", 3029), ("NO_CODE", 1)][..],
        ),
        (
            "cn_legacy_registration_numbers.csv",
            "organisations",
            "UTF-8",
            765,
            0,
            0,
            765,
            &[("NO_CODE", 765)],
        ),
        (
            "cn_unions_uscc8x.csv",
            "unions",
            "UTF-8",
            207,
            207,
            0,
            0,
            &[("UNION", 207)],
        ),
        (
            "cn_social_and_public_orgs.csv",
            "organisations",
            "UTF-8",
            128,
            126,
            0,
            2,
            &[("NO_CODE", 2)],
        ),
        (
            "gz_kindergartens_gb18030.csv",
            "organisations",
            "GB18030",
            844,
            844,
            0,
            0,
            &[("NO_CODE", 844)],
        ),
        (
            "cn_schools.csv",
            "organisations",
            "UTF-8",
            16_725,
            15_526,
            1_199,
            0,
            &[("NO_CODE", 16_725)],
        ),
        // Nine rows repeat name, place and address; they differ in opening hours and source, which are not kept.
        (
            "cn_hospitals_2020.xlsx",
            "organisations",
            "UTF-8",
            4_029,
            4_020,
            9,
            0,
            &[("NO_CODE", 4_029)],
        ),
    ] {
        let Some(bytes) = data(name) else { continue };
        let start = Instant::now();
        let list = read_list(&bytes, name, &ReadOptions::default()).expect(name);
        let mut register = Register::default();
        let summary = register.import(&list).summary;
        eprintln!(
            "{name}: {} rows in {} ms; warnings {:?}; scope {:?}",
            summary.rows_read,
            start.elapsed().as_millis(),
            summary.warnings.len() as u64 + summary.warnings_left_out,
            summary.scope,
        );
        let found = (
            summary.read_as.as_str(),
            summary.encoding.as_str(),
            summary.rows_read,
            summary.new,
            summary.duplicate,
            summary.refused,
        );
        assert_eq!(
            found,
            (read_as, encoding, rows, new, duplicate, refused),
            "{name}: {:?}",
            summary.problems.first()
        );
        for (reason, count) in scope {
            assert_eq!(summary.scope.get(*reason), Some(count), "{name}");
        }
        let again = register.plan(&list).summary;
        assert_eq!((again.new, again.updated, again.unchanged), (0, 0, new), "{name}");
    }
}

/// 200,000 rows: the most that is read at once. The goal is 200 MB for the whole process.
#[test]
fn the_largest_lists_are_planned_in_little_memory() {
    let heads = [
        "名称",
        "统一社会信用代码",
        "注册日期",
        "所在省份",
        "地区",
        "注册地址",
    ];
    for (format, name) in [(ListFormat::Csv, "large.csv"), (ListFormat::Xlsx, "large.xlsx")] {
        let mut writer =
            ListWriter::begin(format, Cursor::new(Vec::new()), &heads).expect("memory does not fail");
        for number in 0..200_000 {
            let code = CreditCode::complete(&format!("52330106{number:08}"))
                .expect("digits")
                .to_string();
            let name = format!("第{number}号民办学校");
            writer
                .row(&[&name, &code, "2015-01-02", "浙江", "杭州", "西湖区"])
                .expect("memory does not fail");
        }
        let bytes = writer.finish().expect("memory does not fail").into_inner();
        let start = Instant::now();
        let list = read_list(&bytes, name, &ReadOptions::default()).expect("within the limits");
        let read = start.elapsed();
        let plan = plan(&list, settings(), &mut |_| Known::New);
        eprintln!(
            "{name}: {} bytes, {} rows: read in {} ms, planned in {} ms, peak {} MB (with what runs beside it)",
            bytes.len(),
            plan.summary.rows_read,
            read.as_millis(),
            (start.elapsed() - read).as_millis(),
            peak_kb() / 1024,
        );
        assert_eq!((plan.summary.new, plan.summary.scope["B"]), (200_000, 200_000));
    }
}
