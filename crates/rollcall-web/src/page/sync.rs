//! The state of sync: what the centre is proven to hold, what waits, what needs attention.
//! Owns the view; the badge's truth comes from receipts that the node has checked itself.

use askama::Template;

use crate::layout::{Badge, Frame, Tone};
use crate::locale::Locale;

/// The page.
#[derive(Debug, Clone, Template)]
#[template(path = "sync.html")]
pub struct Sync {
    /// What stands around it.
    pub frame: Frame,
    /// How it stands.
    pub state: SyncState,
    /// Why the last session that was started here did not reach its end, in the reader's language.
    pub failure: Option<String>,
    /// Where sync is started by post; `None` where it cannot be.
    pub start_action: Option<String>,
    /// Where files are fetched and answers given back; `None` where they cannot be.
    pub by_file: Option<ByFile>,
    /// What waits, oldest first; the first ones only.
    pub waiting: Vec<WaitingRow>,
    /// Documents that need a person.
    pub attention: Vec<AttentionRow>,
    /// Receipts, newest first.
    pub receipts: Vec<ReceiptRow>,
    /// Sync sessions, newest first.
    pub sessions: Vec<SessionRow>,
    /// Address of the aggregator.
    pub aggregator: Option<String>,
    /// This store's incarnation, short.
    pub store_epoch: String,
    /// End of the certificate, formatted; `None` before enrolment.
    pub certificate_until: Option<String>,
    /// Whether the certificate ends soon or has ended.
    pub certificate_tone: Tone,
}

impl Sync {
    /// The badge's long form.
    pub fn badge(&self) -> Badge {
        self.state.badge(&self.frame.locale)
    }
}

/// Sync by a file that somebody carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ByFile {
    /// Where the file for the aggregator is asked for by post.
    pub file_action: String,
    /// Where the answer is posted.
    pub answer_action: String,
    /// The largest answer taken.
    pub size_bytes_max: u64,
}

/// How sync stands: the numbers behind the badge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SyncState {
    /// Documents in the scopes this node writes.
    pub documents: u64,
    /// Changes without a receipt.
    pub waiting_changes: u64,
    /// When the oldest of them was made, Unix milliseconds.
    pub waiting_since_unix_ms: Option<i64>,
    /// Documents that need a person: quarantined or refused.
    pub attention: u64,
    /// When the last verified receipt over everything was given, Unix milliseconds.
    pub proven_unix_ms: Option<i64>,
    /// That receipt came by file.
    pub proven_by_file: bool,
    /// The aggregator answers.
    pub connected: bool,
    /// The node has a certificate.
    pub enrolled: bool,
    /// Calls in the background do not come to their end.
    pub failing: Option<Failing>,
}

/// Calls that fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failing {
    /// Since when, Unix milliseconds.
    pub since_unix_ms: i64,
    /// Somebody answers, and says no; else nobody does.
    pub answered: bool,
}

impl SyncState {
    /// The truth in one sentence. Attention comes before calls that fail, these before waiting, waiting before proof.
    pub fn badge(&self, locale: &Locale) -> Badge {
        let count = |value: u64| locale.number(value);
        if self.attention > 0 {
            return Badge::new(
                Tone::Attention,
                locale.fill("sync.attention", &[&count(self.attention)]),
            );
        }
        if !self.enrolled {
            return Badge::new(Tone::Plain, locale.text("sync.not_enrolled"));
        }
        if let Some(failing) = self.failing {
            let key = match (failing.answered, self.waiting_changes > 0) {
                (false, false) => "sync.unreached",
                (false, true) => "sync.unreached_waiting",
                (true, false) => "sync.stopped",
                (true, true) => "sync.stopped_waiting",
            };
            let since = locale.moment(failing.since_unix_ms);
            return Badge::new(
                Tone::Waiting,
                locale.fill(key, &[&since, &count(self.waiting_changes)]),
            );
        }
        if self.waiting_changes > 0 {
            let text = match self.waiting_since_unix_ms {
                Some(since) => locale.fill(
                    "sync.waiting_since",
                    &[&count(self.waiting_changes), &locale.moment(since)],
                ),
                None => locale.fill("sync.waiting", &[&count(self.waiting_changes)]),
            };
            return Badge::new(Tone::Waiting, text);
        }
        match self.proven_unix_ms {
            Some(proven) => {
                let key = if self.proven_by_file {
                    "sync.proven_by_file"
                } else {
                    "sync.proven"
                };
                let text = locale.fill(key, &[&count(self.documents), &locale.moment(proven)]);
                Badge::new(Tone::Good, text)
            }
            None => Badge::new(Tone::Waiting, locale.text("sync.never")),
        }
    }
}

/// One change that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingRow {
    /// Name of the document.
    pub name: String,
    /// Its page.
    pub href: Option<String>,
    /// When it was made, formatted.
    pub at: String,
    /// Who.
    pub author: String,
    /// Why.
    pub reason: String,
}

/// One document that needs a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttentionRow {
    /// Name of the document.
    pub name: String,
    /// Its page.
    pub href: Option<String>,
    /// Stable code, such as `POISON_CHANGE`.
    pub code: String,
    /// The sentence with the remedy.
    pub message: String,
}

/// One receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiptRow {
    /// When, formatted.
    pub at: String,
    /// Documents it signs for.
    pub documents: u64,
    /// The set digest, hex; shown short.
    pub digest: String,
    /// The aggregator's log position.
    pub position: u64,
    /// Signature and digest were checked against the node's own set.
    pub verified: bool,
}

impl ReceiptRow {
    /// The first characters of the digest.
    pub fn short_digest(&self) -> &str {
        self.digest.get(..12).unwrap_or(&self.digest)
    }
}

/// One sync session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRow {
    /// When it began, formatted.
    pub at: String,
    /// Name of the outcome: `in_sync`, `caught_up`, `repaired`, `continue`, `refused`, `failed`.
    pub outcome: &'static str,
    /// Why it was refused or failed, in the reader's language.
    pub reason: Option<String>,
    /// Changes sent.
    pub pushed_changes: u64,
    /// Changes received.
    pub pulled_changes: u64,
    /// Bytes sent and received.
    pub bytes: u64,
    /// How long it took, milliseconds.
    pub duration_ms: u64,
}

impl SessionRow {
    /// The colour of its outcome.
    pub fn tone(&self) -> Tone {
        match self.outcome {
            "in_sync" | "caught_up" => Tone::Good,
            "repaired" | "continue" => Tone::Waiting,
            _ => Tone::Attention,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn badge_tells_the_worst_first() {
        let proven = SyncState {
            documents: 312,
            proven_unix_ms: Some(1_735_870_269_000),
            enrolled: true,
            ..SyncState::default()
        };
        let cases = [
            (
                proven,
                Tone::Good,
                "all 312 documents are held by the national office, proven at 3 Jan 2025 10:11",
            ),
            (
                SyncState {
                    proven_by_file: true,
                    ..proven
                },
                Tone::Good,
                "all 312 documents are held by the national office, proven by file at 3 Jan 2025 10:11",
            ),
            (
                SyncState {
                    proven_unix_ms: None,
                    ..proven
                },
                Tone::Waiting,
                "no receipt yet",
            ),
            (
                SyncState {
                    waiting_changes: 14,
                    ..proven
                },
                Tone::Waiting,
                "14 changes waiting",
            ),
            (
                SyncState {
                    waiting_changes: 14,
                    enrolled: false,
                    ..proven
                },
                Tone::Plain,
                "not enrolled",
            ),
            (
                SyncState {
                    failing: Some(Failing {
                        since_unix_ms: 1_735_870_269_000,
                        answered: false,
                    }),
                    ..proven
                },
                Tone::Waiting,
                "has not been reached since 3 Jan 2025 10:11",
            ),
            (
                SyncState {
                    failing: Some(Failing {
                        since_unix_ms: 1_735_870_269_000,
                        answered: true,
                    }),
                    waiting_changes: 14,
                    ..proven
                },
                Tone::Waiting,
                "has not worked since 3 Jan 2025 10:11; 14 changes waiting",
            ),
            (
                SyncState {
                    waiting_changes: 14,
                    attention: 3,
                    ..proven
                },
                Tone::Attention,
                "3 documents need attention",
            ),
        ];
        for (state, tone, words) in cases {
            let badge = state.badge(&Locale::English);
            assert_eq!(badge.tone, tone, "{state:?}");
            assert!(
                badge.text.to_lowercase().contains(&words.to_lowercase()),
                "{} should say {words}",
                badge.text
            );
        }
    }
}
