//! The workspace's accounts, kept in the store.

use anyhow::Context;
use rollcall_command::account::{self, Account};
use rollcall_command::accounts::audit;
use rollcall_store::Store;
use rollcall_store::account::AccountRow;
use rollcall_web::error::Source;
use rollcall_web::login::{AccountView, Accounts, LoginEvent, Role, hash_password};

use crate::files::Files;

/// Runs `account`.
///
/// # Errors
/// As [`account::run`].
pub fn run(command: &Account) -> anyhow::Result<()> {
    let files = Files::new(&command.data().folder);
    let store = files.open_store()?;
    let federation = files.load_config()?.federation;
    account::run(&store, &federation, command, |password| {
        hash_password(password).context("hash the password")
    })
}

/// Accounts of this store.
pub struct StoreAccounts(pub Store);

impl Accounts for StoreAccounts {
    fn find_by_name(&self, name: &str) -> Result<Option<AccountView>, Source> {
        Ok(self.0.read(|reader| reader.account_by_name(name))?.map(view))
    }

    fn find_by_id(&self, id: &str) -> Result<Option<AccountView>, Source> {
        Ok(self.0.read(|reader| reader.account(id))?.map(view))
    }

    fn set_password(&self, id: &str, password_hash: &str) -> Result<(), Source> {
        let (id, hash) = (id.to_owned(), password_hash.to_owned());
        Ok(self
            .0
            .write("set password", move |writer| {
                writer.set_password(&id, &hash, false)
            })
            .wait()?)
    }

    fn audit(&self, event: &LoginEvent) -> Result<(), Source> {
        let account = event.account_id.as_deref().unwrap_or("unknown");
        Ok(audit(
            &self.0,
            account,
            event.kind.name(),
            &event.address.to_string(),
            event.unix_ms,
        )?)
    }
}

fn view(row: AccountRow) -> AccountView {
    AccountView {
        id: row.account_id,
        name: row.name,
        password_hash: row.password_hash,
        role: Role::from_name(&row.role).unwrap_or(Role::Viewer),
        must_change: row.must_change,
        disabled: row.disabled,
    }
}
