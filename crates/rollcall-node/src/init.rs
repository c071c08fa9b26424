//! `init` and `enrol`: keys made here, certificate fetched with a one-time token; or offline, to be enrolled later.

use anyhow::Context;
use rollcall_command::accounts::{FirstAccount, create, one_time_password};
use rollcall_command::clock::random;
use rollcall_command::output::{Refused, print_json, print_line};
use rollcall_core::id::{FederationId, LogEpoch, StoreId};
use rollcall_rpc::authority::CertificateRequest;
use rollcall_rpc::{Client, EnrolAnswer, Enrolment, EnrolmentToken, SigningKey, Timeouts};
use rollcall_store::cursor::Grant;
use rollcall_store::successor::Mark;
use rollcall_store::{CreateOptions, Role, Store};

use crate::cli::{Enrol, Init};
use crate::files::{Config, Files};

/// Makes a node. Nothing is left behind where the aggregator refuses.
///
/// # Errors
/// `STORE_EXISTS`, `UNIT_UNKNOWN`, `TOKEN_*`, `CA_MISMATCH`, or what keeps it from being made.
pub fn run_init(args: &Init) -> anyhow::Result<()> {
    let files = Files::new(&args.data.folder);
    if files.store().exists() {
        let message = format!("There is a node in {} already.", files.folder().display());
        return Err(Refused::new("STORE_EXISTS", message).into());
    }
    let store_id = StoreId(random());
    let signing_key = SigningKey::generate().context("make the signing key")?;
    let enrolled = match (&args.token, &args.aggregator) {
        (Some(token), Some(aggregator)) => Some(enrol(
            token,
            aggregator,
            &signing_key,
            store_id,
            args.name.as_deref(),
        )?),
        _ => None,
    };
    let federation: FederationId = match (&enrolled, &args.federation) {
        (Some(enrolled), _) => enrolled.answer.federation.clone(),
        (None, Some(code)) => rollcall_command::federation::named(code)?,
        (None, None) => {
            return Err(Refused::new("PARAM_INVALID", "Say --federation CODE with --offline.").into());
        }
    };
    let name = args.name.clone().unwrap_or_else(|| federation_name(&federation));
    std::fs::create_dir_all(files.folder().join("keys")).context("make the data directory")?;
    files.save_signing_key(&signing_key)?;
    let mut config = Config::new(name.clone(), federation.to_string());
    if let Some(enrolled) = &enrolled {
        enrolled.keep(&files, &mut config)?;
    }
    files.save_config(&config)?;
    let options = CreateOptions {
        role: Role::Node,
        store_id,
        log_epoch: LogEpoch(random()),
        name,
    };
    let store = Store::create(&files.store(), &options).context("make the store")?;
    let grants = match enrolled {
        Some(enrolled) => enrolled.grants(),
        None => vec![Grant {
            scope: federation.clone(),
            write: true,
        }],
    };
    store
        .write("save grants", move |writer| writer.save_grants(&grants))
        .wait()
        .context("keep the scopes")?;
    let first = FirstAccount {
        name: "admin".to_owned(),
        password: one_time_password(),
    };
    let hash = rollcall_web::login::hash_password(&first.password).context("hash the password")?;
    create(&store, federation.as_str(), &first.name, hash, "administrator")
        .context("make the first account")?;
    if args.json {
        return print_json(&serde_json::json!({
            "data": files.folder(), "federation": federation, "enrolled": config.aggregator.is_some(),
            "account": first.name, "password": first.password,
        }));
    }
    print_line(format_args!(
        "node of {federation} made in {}",
        files.folder().display()
    ))?;
    print_line(format_args!(
        "account {} password {} (to be changed at the first sign-in)",
        first.name, first.password
    ))
}

/// Enrols a node that was made offline, or anew: one that was copied, or one that the aggregator does not know any more.
/// What was entered until then is sent with the first sync.
///
/// # Errors
/// `TOKEN_*`, `CA_MISMATCH`, `FOREIGN_JURISDICTION` where the token is for another federation.
pub fn run_enrol(args: &Enrol) -> anyhow::Result<()> {
    let files = Files::new(&args.data.folder);
    let mut config = files.load_config()?;
    let store = files.open_store()?;
    let signing_key = files.load_signing_key()?;
    // A copy that enrols anew is no longer the store that it was copied from.
    let fenced = store
        .read(|reader| reader.is_marked(Mark::Fenced))
        .context("read the store")?;
    let store_id = if fenced {
        StoreId(random())
    } else {
        store.identity().store_id
    };
    let enrolled = enrol(
        &args.token,
        &args.aggregator,
        &signing_key,
        store_id,
        Some(&config.name),
    )?;
    if enrolled.answer.federation.as_str() != config.federation {
        let message = format!(
            "The token is for {}, this node is of {}.",
            enrolled.answer.federation, config.federation
        );
        return Err(Refused::new("FOREIGN_JURISDICTION", message).into());
    }
    if fenced {
        let epoch = LogEpoch(random());
        store
            .write("become another store", move |writer| {
                writer.become_store(store_id, epoch)
            })
            .wait()
            .map_err(|error| rollcall_command::upkeep::refused(&error))?;
    }
    enrolled.keep(&files, &mut config)?;
    files.save_config(&config)?;
    let grants = enrolled.grants();
    store
        .write("save grants", move |writer| writer.save_grants(&grants))
        .wait()
        .context("keep the scopes")?;
    if args.json {
        return print_json(&serde_json::json!({ "federation": config.federation, "enrolled": true }));
    }
    print_line(format_args!("node of {} enrolled", config.federation))
}

struct Enrolled {
    answer: EnrolAnswer,
    key_pem: String,
    aggregator: String,
}

impl Enrolled {
    fn keep(&self, files: &Files, config: &mut Config) -> anyhow::Result<()> {
        files.save_certificate(
            &self.answer.certificate_pem,
            &self.answer.authority_pem,
            &self.key_pem,
        )?;
        config.aggregator = Some(self.aggregator.clone());
        let key = self
            .answer
            .receipt_key
            .0
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        config.receipt_key = Some(key);
        config.batch_key = self.answer.batch_key.map(|key| key.to_string());
        Ok(())
    }

    fn grants(&self) -> Vec<Grant> {
        let grant = |grant: &rollcall_sync::message::ScopeGrant| Grant {
            scope: grant.scope.clone(),
            write: grant.write,
        };
        self.answer.scopes.iter().map(grant).collect()
    }
}

fn enrol(
    token: &str,
    aggregator: &str,
    signing_key: &SigningKey,
    store_id: StoreId,
    name: Option<&str>,
) -> anyhow::Result<Enrolled> {
    let token: EnrolmentToken = token.parse().map_err(|error| refused(&error))?;
    let request = CertificateRequest::generate().context("make the TLS key")?;
    let enrolment = Enrolment {
        token: &token,
        csr_der: &request.csr_der,
        signing_key,
        store_id,
        node_name: name,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("start the runtime")?;
    let answer = runtime
        .block_on(Client::enrol(aggregator, &enrolment, None, Timeouts::default()))
        .map_err(|error| refused(&error))?;
    Ok(Enrolled {
        answer,
        key_pem: request.key_pem,
        aggregator: aggregator.to_owned(),
    })
}

fn refused(error: &rollcall_rpc::RpcError) -> Refused {
    Refused::new(error.code(), error.to_string())
}

fn federation_name(federation: &FederationId) -> String {
    rollcall_core::division::Divisions::get()
        .name(federation.division())
        .map_or_else(|| federation.to_string(), |name| format!("{name}总工会"))
}
