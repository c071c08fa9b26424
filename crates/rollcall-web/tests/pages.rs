//! Every page template in both languages: it renders, is sound HTML, says everything and breaks no rule of the layout.

#[path = "../examples/gallery/sample.rs"]
mod sample;

#[path = "../examples/gallery/records.rs"]
mod records;

use askama::Template;
use rollcall_web::layout::Frame;
use rollcall_web::locale::Locale;
use rollcall_web::page::organisations::OrganisationFilter;

fn frame(locale: Locale) -> Frame {
    sample::signed_in(Frame {
        locale,
        program_key: "program.node",
        place: "杭州市西湖区总工会".to_owned(),
        version: "0.1.0".to_owned(),
        navigation: Vec::new(),
        section: "nav.organisations",
        account: None,
        address: "/page?q=x".to_owned(),
        form_token: "token".to_owned(),
        once: "once".to_owned(),
        notice_key: Some("notice.saved".to_owned()),
        as_of: None,
        position: None,
        request_id: "0123456789abcdef".to_owned(),
    })
}

/// Name and HTML of every page.
fn pages(locale: Locale) -> Vec<(&'static str, String)> {
    fn html(page: impl Template) -> String {
        page.render().expect("the template renders")
    }
    vec![
        ("overview", html(sample::overview(frame(locale)))),
        (
            "organisations",
            html(sample::organisations(
                frame(locale),
                OrganisationFilter::default(),
            )),
        ),
        ("organisation", html(sample::organisation(frame(locale)))),
        (
            "organisation_edit",
            html(sample::organisation_edit(frame(locale))),
        ),
        ("unions", html(records::unions(frame(locale)))),
        ("union", html(records::union(frame(locale)))),
        ("subsidies", html(records::subsidies(frame(locale)))),
        ("subsidy", html(records::subsidy(frame(locale)))),
        ("fund", html(records::fund(frame(locale)))),
        ("import", html(sample::import(frame(locale)))),
        ("import_plan", html(sample::import_plan(frame(locale)))),
        ("sync", html(sample::sync(frame(locale)))),
    ]
}

/// Walks the tags of a page: every element is closed in order.
fn check_nesting(name: &str, html: &str) {
    const VOID: [&str; 7] = ["meta", "link", "input", "img", "br", "rect", "line"];
    let mut open: Vec<&str> = Vec::new();
    for piece in html.split('<').skip(1) {
        let (tag, _) = piece
            .split_once('>')
            .unwrap_or_else(|| panic!("{name}: tag is not closed: {piece:.60}"));
        if tag.starts_with('!') {
            continue;
        }
        let word = tag
            .trim_start_matches('/')
            .split([' ', '\n', '/'])
            .next()
            .unwrap_or_default();
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(word), "{name}: </{word}> closes something else");
        } else if !VOID.contains(&word) && !tag.ends_with('/') {
            open.push(word);
        }
    }
    assert!(open.is_empty(), "{name}: left open: {open:?}");
}

fn count(html: &str, part: &str) -> usize {
    html.matches(part).count()
}

#[test]
fn every_page_is_sound_and_accessible_in_both_languages() {
    for locale in Locale::ALL {
        for (name, html) in pages(locale) {
            check_nesting(name, &html);
            assert!(
                html.contains(&format!("<html lang=\"{}\">", locale.page_tag())),
                "{name}"
            );
            assert_eq!(count(&html, "<h1"), 1, "{name} has one main heading");
            assert!(
                html.contains("class=\"skip\" href=\"#content\"") && html.contains("<main id=\"content\""),
                "{name}"
            );
            assert_eq!(
                count(&html, "<table"),
                count(&html, "<caption"),
                "{name}: every table has a caption"
            );
            assert_eq!(
                count(&html, "<th"),
                count(&html, "<th scope=\"") + count(&html, "<thead"),
                "{name}: scopes"
            );
            for tag in html
                .split('<')
                .filter_map(|piece| piece.split_once('>'))
                .map(|(tag, _)| tag)
            {
                let forbidden =
                    tag.starts_with("script") || tag.contains(" style=") || tag.contains(" onclick=");
                assert!(!forbidden, "{name}: the content policy would stop <{tag}>");
            }
            assert_eq!(
                count(&html, "method=\"post\""),
                count(&html, "name=\"form_token\""),
                "{name}: tokens"
            );
            assert!(html.contains("class=\"notice\" role=\"status\""), "{name}");
            let mut ids: Vec<_> = html
                .split(" id=\"")
                .skip(1)
                .map(|rest| rest.split('"').next().unwrap())
                .collect();
            ids.sort_unstable();
            let whole = ids.len();
            ids.dedup();
            assert_eq!(ids.len(), whole, "{name}: an id stands twice");
            for label in html
                .split(" for=\"")
                .skip(1)
                .map(|rest| rest.split('"').next().unwrap())
            {
                assert!(ids.binary_search(&label).is_ok(), "{name}: label for {label}");
            }
        }
    }
}

/// Text between tags, without attributes.
fn words(html: &str) -> String {
    html.split('<')
        .filter_map(|piece| piece.split_once('>'))
        .map(|(_, text)| text)
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn no_page_shows_a_bare_key() {
    for locale in Locale::ALL {
        for (name, html) in pages(locale) {
            for word in words(&html)
                .split(|character: char| !(character.is_ascii_alphanumeric() || "._".contains(character)))
            {
                let parts: Vec<_> = word.split('.').collect();
                let like_a_key = parts.len() == 2
                    && parts.iter().all(|part| {
                        part.len() > 2 && part.chars().all(|c| c.is_ascii_lowercase() || c == '_')
                    });
                assert!(!like_a_key || word == "acftu.example", "{name} shows {word}");
                assert!(
                    !word.contains('_') || word.chars().any(|c| c.is_ascii_uppercase()),
                    "{name} shows {word}"
                );
            }
        }
    }
}

#[test]
fn english_pages_hold_chinese_only_where_data_does() {
    let english = pages(Locale::English);
    let (_, sync) = english.iter().find(|(name, _)| *name == "sync").unwrap();
    for chinese in ["回执", "待发送", "同步"] {
        assert!(!words(sync).contains(chinese), "{chinese}");
    }
}

#[test]
fn headline_is_never_a_bare_percentage() {
    let html = pages(Locale::English).remove(0).1;
    let headline = words(&html[html.find("class=\"figure\"").unwrap()..html.find("</dl>").unwrap()]);
    for part in [
        "/",
        "=",
        "%",
        "31 Dec 2024",
        "position 18,234",
        "scopes heard",
        "Bounds",
        "target 85%",
    ] {
        assert!(headline.contains(part), "{part} in {headline}");
    }
}

#[test]
fn what_users_typed_is_escaped() {
    let mut page = sample::organisation(frame(Locale::Chinese));
    page.name = "<script>alert(\"x\")</script>".to_owned();
    let html = page.render().unwrap();
    assert!(!html.contains("<script"));
    assert!(html.contains("&#60;script&#62;") || html.contains("&lt;script&gt;"));
}
