//! The arguments of `account` and its commands `add | list | reset | disable | enable`, the same on node and aggregator.
//! Owns who may sign in as what; passwords are hashed by whoever calls, names never leave the store.

use anyhow::Context;
use clap::Subcommand;
use rollcall_store::Store;
use rollcall_store::account::AccountRow;
use serde::Serialize;

use crate::accounts::{FirstAccount, audit, create, one_time_password};
use crate::clock::{now_ms, time_text};
use crate::data::Data;
use crate::output::{Refused, print_json, print_line};

/// Longest sign-in name, in characters.
const NAME_MAX: usize = 64;
/// The role that keeps accounts; one of them stays.
const KEEPER: &str = "administrator";

/// `account`.
#[derive(Debug, Subcommand)]
pub enum Account {
    /// Makes an account; prints its one-time password.
    Add {
        /// Sign-in name.
        name: String,
        /// What it may do: viewer reads, clerk edits and imports, head approves and settles, administrator everything.
        #[arg(long, value_parser = ["viewer", "clerk", "head", "administrator"], default_value = "clerk")]
        role: String,
        /// Store.
        #[command(flatten)]
        data: Data,
        /// JSON on standard output.
        #[arg(long)]
        json: bool,
    },
    /// Lists the accounts.
    List {
        /// Store.
        #[command(flatten)]
        data: Data,
        /// JSON on standard output.
        #[arg(long)]
        json: bool,
    },
    /// Gives an account a new one-time password.
    Reset {
        /// Sign-in name.
        name: String,
        /// Store.
        #[command(flatten)]
        data: Data,
        /// JSON on standard output.
        #[arg(long)]
        json: bool,
    },
    /// Lets an account sign in no more; what it did stays under its id.
    Disable {
        /// Sign-in name.
        name: String,
        /// Store.
        #[command(flatten)]
        data: Data,
    },
    /// Lets a disabled account sign in again.
    Enable {
        /// Sign-in name.
        name: String,
        /// Store.
        #[command(flatten)]
        data: Data,
    },
}

impl Account {
    /// Whose accounts.
    pub fn data(&self) -> &Data {
        match self {
            Self::Add { data, .. }
            | Self::List { data, .. }
            | Self::Reset { data, .. }
            | Self::Disable { data, .. }
            | Self::Enable { data, .. } => data,
        }
    }
}

/// One account, as printed.
#[derive(Debug, Serialize)]
struct Shown {
    account: String,
    name: String,
    role: String,
    disabled: bool,
    must_change: bool,
    created: String,
}

impl Shown {
    fn of(row: AccountRow) -> Self {
        Self {
            account: row.account_id,
            name: row.name,
            role: row.role,
            disabled: row.disabled,
            must_change: row.must_change,
            created: time_text(row.created_ms),
        }
    }
}

/// Runs it. `hash` makes of a password what is kept of it.
///
/// # Errors
/// `PARAM_INVALID` for an impossible name, `NAME_TAKEN` for one that is taken, `NOT_FOUND`, `LAST_ADMINISTRATOR`; the store's.
pub fn run(
    store: &Store,
    federation: &str,
    command: &Account,
    hash: impl Fn(&str) -> anyhow::Result<String>,
) -> anyhow::Result<()> {
    match command {
        Account::Add { name, role, json, .. } => {
            let name = named(name)?;
            if held(store, &name)?.is_some() {
                let message = format!("There is an account {name} already; reset gives it a new password.");
                return Err(Refused::new("NAME_TAKEN", message).into());
            }
            let password = one_time_password();
            create(store, federation, &name, hash(&password)?, role).context("keep the account")?;
            tell_password(FirstAccount { name, password }, *json)
        }
        Account::List { json, .. } => list(store, *json),
        Account::Reset { name, json, .. } => {
            let row = find(store, name)?;
            let password = one_time_password();
            let (id, hashed) = (row.account_id.clone(), hash(&password)?);
            store
                .write("reset password", move |writer| {
                    writer.set_password(&id, &hashed, true)
                })
                .wait()
                .context("keep the password")?;
            noted(store, "password_reset", &row)?;
            tell_password(
                FirstAccount {
                    name: row.name,
                    password,
                },
                *json,
            )
        }
        Account::Disable { name, .. } => switch(store, name, true),
        Account::Enable { name, .. } => switch(store, name, false),
    }
}

fn list(store: &Store, json: bool) -> anyhow::Result<()> {
    let rows = store
        .read(|reader| reader.accounts())
        .context("read the accounts")?;
    let rows: Vec<Shown> = rows.into_iter().map(Shown::of).collect();
    if json {
        return print_json(&rows);
    }
    for row in rows {
        let state = if row.disabled { " (disabled)" } else { "" };
        print_line(format_args!(
            "{} {} {} since {}{state}",
            row.name, row.role, row.account, row.created
        ))?;
    }
    Ok(())
}

fn switch(store: &Store, name: &str, disabled: bool) -> anyhow::Result<()> {
    let mut row = find(store, name)?;
    let others = store
        .read(|reader| reader.accounts())
        .context("read the accounts")?;
    let keeps =
        |other: &AccountRow| other.role == KEEPER && !other.disabled && other.account_id != row.account_id;
    if disabled && row.role == KEEPER && !others.iter().any(keeps) {
        let message =
            "This is the last administrator; make another one first: account add NAME --role administrator.";
        return Err(Refused::new("LAST_ADMINISTRATOR", message).into());
    }
    row.disabled = disabled;
    let saved = row.clone();
    store
        .write("switch account", move |writer| writer.save_account(&saved))
        .wait()
        .context("keep the account")?;
    let (action, told) = if disabled {
        ("account_disabled", "cannot sign in any more")
    } else {
        ("account_enabled", "can sign in again")
    };
    noted(store, action, &row)?;
    print_line(format_args!("{} {told}", row.name))
}

fn named(name: &str) -> anyhow::Result<String> {
    let name = name.trim();
    let visible = !name.is_empty() && !name.chars().any(char::is_control);
    if visible && name.chars().count() <= NAME_MAX {
        return Ok(name.to_owned());
    }
    let message = format!("A sign-in name has 1 to {NAME_MAX} visible characters.");
    Err(Refused::new("PARAM_INVALID", message).into())
}

fn held(store: &Store, name: &str) -> anyhow::Result<Option<AccountRow>> {
    store
        .read(|reader| reader.account_by_name(name.trim()))
        .context("read the accounts")
}

fn find(store: &Store, name: &str) -> anyhow::Result<AccountRow> {
    held(store, name)?.ok_or_else(|| {
        let message = format!("There is no account {name}; account list shows those there are.");
        Refused::new("NOT_FOUND", message).into()
    })
}

fn noted(store: &Store, action: &str, row: &AccountRow) -> anyhow::Result<()> {
    audit(store, "system", action, &row.account_id, now_ms()).context("write the audit trail")
}

fn tell_password(account: FirstAccount, json: bool) -> anyhow::Result<()> {
    if json {
        return print_json(&serde_json::json!({ "account": account.name, "password": account.password }));
    }
    print_line(format_args!(
        "account {} password {} (to be changed at the first sign-in)",
        account.name, account.password
    ))
}

#[cfg(test)]
mod tests {
    use rollcall_core::id::{LogEpoch, StoreId};
    use rollcall_store::{CreateOptions, Role};

    use super::*;

    fn code(result: anyhow::Result<()>) -> String {
        let error = result.expect_err("it is refused");
        let refused = error.downcast_ref::<Refused>().expect("with a code");
        refused.code.clone()
    }

    #[test]
    fn accounts_are_made_switched_off_and_on_and_one_administrator_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let options = CreateOptions {
            role: Role::Node,
            store_id: StoreId([1; 16]),
            log_epoch: LogEpoch([2; 8]),
            name: "x".to_owned(),
        };
        let store = Store::create(&folder.path().join("store.db"), &options).expect("a store");
        create(&store, "330106", "admin", "first".to_owned(), KEEPER).expect("made");
        let data = || Data {
            folder: folder.path().to_owned(),
        };
        let ask = |command: Account| run(&store, "330106", &command, |password| Ok(format!("#{password}")));
        let add = |name: &str, role: &str| Account::Add {
            name: name.to_owned(),
            role: role.to_owned(),
            data: data(),
            json: true,
        };
        let disable = |name: &str| Account::Disable {
            name: name.to_owned(),
            data: data(),
        };
        ask(add(" 李 ", "head")).expect("made");
        let row = find(&store, "李").expect("it is there");
        assert_eq!((row.role.as_str(), row.must_change), ("head", true));
        assert!(row.password_hash.starts_with('#') && row.account_id.starts_with("330106/"));
        assert_eq!(code(ask(add("李", "clerk"))), "NAME_TAKEN");
        assert_eq!(code(ask(add(" ", "clerk"))), "PARAM_INVALID");
        assert_eq!(code(ask(disable("王"))), "NOT_FOUND");
        assert_eq!(code(ask(disable("admin"))), "LAST_ADMINISTRATOR");
        ask(disable("李")).expect("switched off");
        assert!(find(&store, "李").expect("it is there").disabled);
        ask(Account::Enable {
            name: "李".to_owned(),
            data: data(),
        })
        .expect("switched on");
        ask(Account::Reset {
            name: "李".to_owned(),
            data: data(),
            json: false,
        })
        .expect("reset");
        let again = find(&store, "李").expect("it is there");
        assert!(!again.disabled && again.must_change && again.password_hash != row.password_hash);
        ask(add("王", KEEPER)).expect("made");
        ask(disable("admin")).expect("another administrator stays");
    }
}
