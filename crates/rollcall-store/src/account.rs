//! Accounts of this store: who may sign in, as what. Names stay here; documents carry account ids only.
//! Hashing passwords and deciding what a role may do is the caller's.

use rusqlite::params;

use crate::error::{EngineError, Error};
use crate::sqlite::{Reader, RowExt, Writer};

/// The engine's result code for a broken UNIQUE constraint.
const UNIQUE_BROKEN: i32 = 2067;

/// An account.
#[derive(Clone, PartialEq, Eq)]
pub struct AccountRow {
    /// Random, the one that documents carry.
    pub account_id: String,
    /// Sign-in name.
    pub name: String,
    /// Argon2id, PHC text.
    pub password_hash: String,
    /// What it may do.
    pub role: String,
    /// Has a one-time password.
    pub must_change: bool,
    /// May not sign in.
    pub disabled: bool,
    /// When it was made.
    pub created_ms: i64,
}

impl std::fmt::Debug for AccountRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Neither name nor hash may reach a log.
        f.debug_struct("AccountRow")
            .field("account_id", &self.account_id)
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}

macro_rules! select_account {
    ($rest:literal) => {
        concat!(
            "SELECT account_id, name, password_hash, role, must_change, disabled, created_ms FROM account ",
            $rest
        )
    };
}

pub(crate) fn account_row(row: &rusqlite::Row<'_>) -> Result<AccountRow, Error> {
    Ok(AccountRow {
        account_id: row.text(0)?,
        name: row.text(1)?,
        password_hash: row.text(2)?,
        role: row.text(3)?,
        must_change: row.bool(4)?,
        disabled: row.bool(5)?,
        created_ms: row.i64(6)?,
    })
}

impl Reader {
    /// The account with this id.
    pub fn account(&self, account_id: &str) -> Result<Option<AccountRow>, Error> {
        self.one(
            select_account!("WHERE account_id = ?1"),
            [account_id],
            account_row,
        )
    }

    /// The account with this sign-in name.
    pub fn account_by_name(&self, name: &str) -> Result<Option<AccountRow>, Error> {
        self.one(select_account!("WHERE name = ?1"), [name], account_row)
    }

    /// Every account, by name.
    pub fn accounts(&self) -> Result<Vec<AccountRow>, Error> {
        self.all(select_account!("ORDER BY name"), [], account_row)
    }
}

impl Writer {
    /// Makes an account. Refused with [`Error::Exists`] if id or name is taken.
    pub fn create_account(&mut self, account: &AccountRow) -> Result<(), Error> {
        if self.account(&account.account_id)?.is_some() {
            return Err(Error::Exists("account"));
        }
        self.write_account(account)
    }

    /// Changes everything of an account but its id and the time it was made.
    pub fn save_account(&mut self, account: &AccountRow) -> Result<(), Error> {
        if self.account(&account.account_id)?.is_none() {
            return Err(Error::Missing("account"));
        }
        self.write_account(account)
    }

    /// Sets a password, one-time or not.
    pub fn set_password(
        &mut self,
        account_id: &str,
        password_hash: &str,
        must_change: bool,
    ) -> Result<(), Error> {
        let changed = self.run(
            "UPDATE account SET password_hash = ?2, must_change = ?3 WHERE account_id = ?1",
            (account_id, password_hash, must_change),
        )?;
        if changed == 0 {
            Err(Error::Missing("account"))
        } else {
            Ok(())
        }
    }

    fn write_account(&mut self, account: &AccountRow) -> Result<(), Error> {
        let written = self.run(
            "INSERT INTO account (account_id, name, password_hash, role, must_change, disabled, created_ms) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (account_id) DO UPDATE SET name = ?2, \
             password_hash = ?3, role = ?4, must_change = ?5, disabled = ?6",
            params![
                account.account_id,
                account.name,
                account.password_hash,
                account.role,
                account.must_change,
                account.disabled,
                account.created_ms
            ],
        );
        match written {
            Err(Error::Engine(EngineError {
                code: UNIQUE_BROKEN, ..
            })) => Err(Error::Exists("account name")),
            other => other.map(drop),
        }
    }
}

#[cfg(test)]
mod tests;
