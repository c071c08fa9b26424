//! Accounts as both programs keep them: the first one made by `init`, ids that stand in documents, the audit trail.

use rollcall_store::account::AccountRow;
use rollcall_store::audit::AuditEntry;
use rollcall_store::{Error, Store};

use crate::clock::{now_ms, random};

/// The first account with its one-time password.
#[derive(Debug, Clone)]
pub struct FirstAccount {
    /// Sign-in name.
    pub name: String,
    /// Shown once.
    pub password: String,
}

/// Letters and digits that cannot be mistaken for one another.
const LETTERS: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz23456789A";

/// A one-time password of 16 characters, 80 bits.
pub fn one_time_password() -> String {
    random::<16>()
        .iter()
        .map(|byte| LETTERS[usize::from(byte % 32)] as char)
        .collect()
}

/// A random account id of a federation, such as `330106/f3a81c02`.
pub fn account_id(federation: &str) -> String {
    let tail: String = random::<4>().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}/{tail}", federation.split('/').next().unwrap_or(federation))
}

/// Keeps an account whose password must be changed at the first sign-in.
///
/// # Errors
/// The store's; the name may be taken.
pub fn create(
    store: &Store,
    federation: &str,
    name: &str,
    password_hash: String,
    role: &str,
) -> Result<(), Error> {
    let row = AccountRow {
        account_id: account_id(federation),
        name: name.to_owned(),
        password_hash,
        role: role.to_owned(),
        must_change: true,
        disabled: false,
        created_ms: now_ms(),
    };
    let entry = AuditEntry {
        at_ms: row.created_ms,
        account: "system".to_owned(),
        action: "account_created".to_owned(),
        detail: row.account_id.clone(),
    };
    let work = move |writer: &mut rollcall_store::Writer| {
        writer.create_account(&row)?;
        writer.append_audit(&entry)?;
        Ok(())
    };
    store.write("create account", work).wait()
}

/// Writes one line of the audit trail.
///
/// # Errors
/// The store's.
pub fn audit(store: &Store, account: &str, action: &str, detail: &str, at_ms: i64) -> Result<(), Error> {
    let entry = AuditEntry {
        at_ms,
        account: account.to_owned(),
        action: action.to_owned(),
        detail: detail.to_owned(),
    };
    store
        .write("audit", move |writer| {
            writer.append_audit(&entry)?;
            Ok(())
        })
        .wait()
}
