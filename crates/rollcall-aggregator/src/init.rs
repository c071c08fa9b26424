//! `init`: store, authority, keys, configuration and the first account.

use anyhow::Context;
use rollcall_command::accounts::{FirstAccount, create, one_time_password};
use rollcall_command::clock::{now_ms, random};
use rollcall_command::output::{Refused, print_json, print_line};
use rollcall_core::id::{LogEpoch, StoreId};
use rollcall_rpc::{Authority, SigningKey};
use rollcall_store::{CreateOptions, Role, Store};

use crate::cli::Init;
use crate::files::{Config, Files};

/// Makes an aggregator and prints its first account.
///
/// # Errors
/// `STORE_EXISTS` where there is one already; nothing is half made.
pub fn run(args: &Init) -> anyhow::Result<()> {
    let files = Files::new(&args.data.folder);
    if files.store().exists() {
        let message = format!("There is an aggregator in {} already.", files.folder().display());
        return Err(Refused::new("STORE_EXISTS", message).into());
    }
    std::fs::create_dir_all(files.folder().join("keys")).context("make the data directory")?;
    let now_ms = now_ms();
    let authority = Authority::create(&format!("Rollcall authority of {}", args.name), now_ms)
        .context("make the authority")?;
    files.save_authority(&authority)?;
    files.save_signing_key(&SigningKey::generate().context("make the signing key")?)?;
    files.load_seal_key()?;
    files.save_config(&Config::named(args.name.clone(), args.hosts.clone()))?;
    let options = CreateOptions {
        role: Role::Aggregator,
        store_id: StoreId(random()),
        log_epoch: LogEpoch(random()),
        name: args.name.clone(),
    };
    let store = Store::create(&files.store(), &options).context("make the store")?;
    let first = FirstAccount {
        name: "admin".to_owned(),
        password: one_time_password(),
    };
    let hash = rollcall_web::login::hash_password(&first.password).context("hash the password")?;
    create(&store, "100000", &first.name, hash, "administrator").context("make the first account")?;
    let fingerprint: String = authority
        .fingerprint()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    if args.json {
        return print_json(&serde_json::json!({
            "data": files.folder(), "account": first.name, "password": first.password,
            "authority_sha256": fingerprint,
        }));
    }
    print_line(format_args!("aggregator made in {}", files.folder().display()))?;
    print_line(format_args!("authority SHA-256 {fingerprint}"))?;
    print_line(format_args!(
        "account {} password {} (to be changed at the first sign-in)",
        first.name, first.password
    ))
}
