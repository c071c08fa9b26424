//! What stands around and between the contents of every page: navigation, account, language switch, footer, badge,
//! notice and pager.
//! Owns plain view structs; `visit` makes the frame, templates draw it.

use rollcall_core::date::Day;

use crate::format::{Given, Whole};
use crate::locale::Locale;
use crate::{asset, csrf, form};

/// One entry of the main navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NavigationItem {
    /// Key of its text; also what [`Frame::section`] names.
    pub text_key: &'static str,
    /// Address.
    pub href: &'static str,
}

/// The signed-in account as the layout shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountFace {
    /// Sign-in name.
    pub name: String,
    /// Key of the role's text.
    pub role_key: &'static str,
}

/// Everything the base template needs; one per answered request.
#[derive(Debug, Clone)]
pub struct Frame {
    /// Language of the page.
    pub locale: Locale,
    /// Key of the program's name.
    pub program_key: &'static str,
    /// Whose register or console it is, such as 浙江省总工会.
    pub place: String,
    /// Version of the program.
    pub version: String,
    /// Main navigation; empty before sign-in.
    pub navigation: Vec<NavigationItem>,
    /// The entry of the navigation that this page belongs to; empty for none.
    pub section: &'static str,
    /// Who is signed in.
    pub account: Option<AccountFace>,
    /// Address of this page with its query but without the language, for the language switch.
    pub address: String,
    /// Hidden token of every form on this page.
    pub form_token: String,
    /// Idempotency key of the forms on this page.
    pub once: String,
    /// Key of the message above the content, such as "saved".
    pub notice_key: Option<String>,
    /// The day the page's figures describe.
    pub as_of: Option<Day>,
    /// The aggregator's log position the page was computed from.
    pub position: Option<u64>,
    /// Id of the request, shown where something went wrong.
    pub request_id: String,
}

impl Frame {
    /// Says in the footer which day and which position the page describes.
    #[must_use]
    pub fn computed_from(mut self, as_of: Day, position: Option<u64>) -> Self {
        self.as_of = Some(as_of);
        self.position = position;
        self
    }

    /// The text of a key; what templates call most.
    pub fn text<'a>(&self, key: &'a str) -> &'a str {
        self.locale.text(key)
    }

    /// The text of a key put together from a prefix and a name, such as `stage` and `elected`.
    pub fn term(&self, prefix: &str, name: &str) -> String {
        let key = format!("{prefix}.{name}");
        self.locale
            .lookup(&key)
            .map_or_else(|| name.to_owned(), str::to_owned)
    }

    /// What a code means, with the values of what the rule said; see [`Locale::sentence`].
    pub fn sentence(&self, code: &str, message: &str) -> String {
        self.locale.sentence(code, message)
    }

    /// The text of a key with its places filled.
    pub fn fill(&self, key: &str, values: &[&str]) -> String {
        self.locale.fill(key, values)
    }

    /// A whole number.
    pub fn number(&self, value: impl Whole) -> String {
        self.locale.number(value)
    }

    /// Address of this page in another language.
    pub fn address_in(&self, locale: impl Given<Locale>) -> String {
        let joint = if self.address.contains('?') { '&' } else { '?' };
        format!("{}{joint}lang={}", self.address, locale.given().tag())
    }

    /// Address of the stylesheet.
    pub fn stylesheet(&self) -> &'static str {
        asset::stylesheet_path()
    }

    /// Address of the icon.
    pub fn icon(&self) -> &'static str {
        asset::icon_path()
    }

    /// Name of the hidden token field.
    pub fn token_field(&self) -> &'static str {
        csrf::FIELD
    }

    /// Name of the hidden field by which a form offers to be shown again after a sign-in that came between.
    pub fn again_field(&self) -> &'static str {
        form::AGAIN_FIELD
    }

    /// Name of the hidden idempotency field.
    pub fn once_field(&self) -> &'static str {
        form::ONCE_FIELD
    }
}

/// How something stands, in one colour and always in words as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tone {
    /// As it should be.
    Good,
    /// Under way, nothing to do now.
    Waiting,
    /// Someone should look.
    Attention,
    /// Neither.
    Plain,
}

impl Tone {
    /// The class of the stylesheet.
    pub const fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Waiting => "waiting",
            Self::Attention => "attention",
            Self::Plain => "plain",
        }
    }
}

/// A short statement of state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Badge {
    /// Colour.
    pub tone: Tone,
    /// Words, already in the reader's language.
    pub text: String,
}

impl Badge {
    /// A badge.
    pub fn new(tone: Tone, text: impl Into<String>) -> Self {
        Self {
            tone,
            text: text.into(),
        }
    }
}

/// Where in a long list this page stands. Pages count from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pager {
    /// This page.
    pub page: u64,
    /// Rows on a full page.
    pub size: u64,
    /// Rows in the whole list.
    pub total: u64,
    /// Address of the list with its filters, without `page`.
    pub address: String,
}

impl Pager {
    /// Number of pages, at least 1.
    pub fn pages(&self) -> u64 {
        self.total.div_ceil(self.size.max(1)).max(1)
    }

    /// Number of the first row on this page, from 1; 0 for an empty list.
    pub fn first(&self) -> u64 {
        if self.total == 0 {
            0
        } else {
            ((self.page.saturating_sub(1)) * self.size + 1).min(self.total)
        }
    }

    /// Number of the last row on this page.
    pub fn last(&self) -> u64 {
        (self.page * self.size).min(self.total)
    }

    /// Address of another page.
    pub fn address_of(&self, page: impl Given<u64>) -> String {
        let page = page.given();
        let joint = if self.address.contains('?') { '&' } else { '?' };
        format!("{}{joint}page={page}", self.address)
    }

    /// Whether it is this page.
    pub fn is_present(&self, page: impl Given<u64>) -> bool {
        page.given() == self.page
    }

    /// The page before, if there is one.
    pub fn previous(&self) -> Option<u64> {
        (self.page > 1).then(|| (self.page - 1).min(self.pages()))
    }

    /// The page after, if there is one.
    pub fn next(&self) -> Option<u64> {
        (self.page < self.pages()).then_some(self.page + 1)
    }

    /// The pages to link: the first, the last and those around this one; `None` stands for a gap.
    pub fn links(&self) -> Vec<Option<u64>> {
        let mut links = Vec::new();
        let mut before = 0;
        for page in 1..=self.pages() {
            if page == 1 || page == self.pages() || page.abs_diff(self.page) <= 2 {
                if page > before + 1 {
                    links.push(None);
                }
                links.push(Some(page));
                before = page;
            }
        }
        links
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pager(page: u64, total: u64) -> Pager {
        Pager {
            page,
            size: 50,
            total,
            address: "/organisations?q=x".into(),
        }
    }

    #[test]
    fn pager_counts_rows_and_pages() {
        let cases = [
            ((1, 0), (1, 0, 0)),
            ((1, 50), (1, 1, 50)),
            ((2, 51), (2, 51, 51)),
            ((3, 312), (7, 101, 150)),
        ];
        for ((page, total), (pages, first, last)) in cases {
            let pager = pager(page, total);
            assert_eq!(
                (pager.pages(), pager.first(), pager.last()),
                (pages, first, last),
                "{page} of {total}"
            );
        }
        assert_eq!(pager(1, 60).previous(), None);
        assert_eq!(pager(2, 60).next(), None);
        assert_eq!(pager(1, 60).address_of(2), "/organisations?q=x&page=2");
    }

    #[test]
    fn pager_links_ends_and_neighbours_with_gaps() {
        let links = pager(10, 1000).links();
        let expected = [
            Some(1),
            None,
            Some(8),
            Some(9),
            Some(10),
            Some(11),
            Some(12),
            None,
            Some(20),
        ];
        assert_eq!(links, expected);
        assert_eq!(pager(1, 100).links(), [Some(1), Some(2)]);
    }
}
