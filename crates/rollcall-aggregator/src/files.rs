//! What lies in the aggregator's data directory, and its configuration file.

use std::path::{Path, PathBuf};

use anyhow::Context;
use rollcall_command::output::Refused;
use rollcall_rpc::authority::{read_private, write_private};
use rollcall_rpc::{Authority, RpcError, SealKey, SigningKey};
use rollcall_store::owner::Place;
use rollcall_store::{Role, Store};
use rollcall_sync::limits::SESSIONS_UNDER_WAY_MAX;
use serde::{Deserialize, Serialize};

/// Paths within the data directory.
#[derive(Debug, Clone)]
pub struct Files {
    folder: PathBuf,
}

/// `aggregator.toml`. Unknown keys are refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Name of the aggregator, shown on its pages.
    pub name: String,
    /// Names and addresses by which nodes call it, beside loopback.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// Address of the sync server.
    #[serde(default = "default_sync_addr")]
    pub sync_addr: String,
    /// Address of the console; plain HTTP, so loopback only.
    #[serde(default = "default_web_addr")]
    pub web_addr: String,
    /// Sync sessions under way at a time, those that stay open and have nothing to do not counted; above it nodes are
    /// told when to come back.
    #[serde(default = "default_sessions_max")]
    pub sessions_max: usize,
    /// Filter of the log, in the notation of `tracing`.
    #[serde(default = "default_log")]
    pub log: String,
    /// JSON lines instead of text.
    #[serde(default)]
    pub log_json: bool,
}

fn default_sync_addr() -> String {
    "127.0.0.1:7443".to_owned()
}

fn default_web_addr() -> String {
    "127.0.0.1:7480".to_owned()
}

fn default_sessions_max() -> usize {
    SESSIONS_UNDER_WAY_MAX
}

fn default_log() -> String {
    "info".to_owned()
}

impl Config {
    /// The defaults under a name.
    pub fn named(name: String, hosts: Vec<String>) -> Self {
        Self {
            name,
            hosts,
            sync_addr: default_sync_addr(),
            web_addr: default_web_addr(),
            sessions_max: default_sessions_max(),
            log: default_log(),
            log_json: false,
        }
    }
}

/// A key file that others can read is refused with its code; what else is wrong with it is told as it is.
fn refused_key(error: RpcError) -> anyhow::Error {
    match error.code() {
        "KEY_MODE" => Refused::new("KEY_MODE", error.to_string()).into(),
        _ => error.into(),
    }
}

impl Files {
    /// The files in this directory.
    pub fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
        }
    }

    /// The directory.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The database.
    pub fn store(&self) -> PathBuf {
        self.folder.join("store.db")
    }

    /// The configuration.
    pub fn config(&self) -> PathBuf {
        self.folder.join("aggregator.toml")
    }

    /// The authority's certificate: public.
    pub fn authority(&self) -> PathBuf {
        self.folder.join("keys/authority.pem")
    }

    /// The authority's key: a secret.
    pub fn authority_key(&self) -> PathBuf {
        self.folder.join("keys/authority-key.pem")
    }

    /// The key that signs receipts: a secret.
    pub fn signing_key(&self) -> PathBuf {
        self.folder.join("keys/signing.pk8")
    }

    /// Where files of relays lie while they are taken.
    pub fn carried(&self) -> PathBuf {
        self.folder.join("carried")
    }

    /// Opens the store; one that is damaged is only read.
    ///
    /// # Errors
    /// `NO_DATA` where there is none; the store's.
    pub fn open_store(&self) -> anyhow::Result<Store> {
        if !self.store().is_file() {
            return Err(self.no_data().into());
        }
        let remedy = "Stop serve and restore the last backup; the nodes hand in again what came after it.";
        let store = rollcall_command::upkeep::open_store(&self.store(), remedy)?;
        rollcall_command::upkeep::note_keys(&store, || {
            Ok(self.load_signing_key()?.verifying_key().0.to_vec())
        });
        Ok(store)
    }

    /// Whose backup belongs here, by the keys that are here.
    ///
    /// # Errors
    /// Where the key is there and cannot be read.
    pub fn place(&self) -> anyhow::Result<Place> {
        Ok(Place {
            role: Role::Aggregator,
            federation: None,
            signing_key: if self.signing_key().exists() {
                Some(self.load_signing_key()?.verifying_key().0.to_vec())
            } else {
                None
            },
            takes_over: false,
        })
    }

    fn no_data(&self) -> Refused {
        let folder = self.folder.display();
        let message = format!("There is no aggregator in {folder}; make one with init.");
        Refused::new("NO_DATA", message)
    }

    /// Reads the configuration.
    ///
    /// # Errors
    /// `NO_DATA` where there is none; `CONFIG_UNKNOWN` with the line, where it holds anything that is not a setting.
    pub fn load_config(&self) -> anyhow::Result<Config> {
        if !self.config().is_file() {
            return Err(self.no_data().into());
        }
        let text = std::fs::read_to_string(self.config()).context("read the configuration")?;
        toml::from_str(&text).map_err(|error| Refused::new("CONFIG_UNKNOWN", error.to_string()).into())
    }

    /// Writes the configuration.
    ///
    /// # Errors
    /// The file's.
    pub fn save_config(&self, config: &Config) -> anyhow::Result<()> {
        let text = toml::to_string_pretty(config).context("write the configuration as text")?;
        std::fs::write(self.config(), text).context("write the configuration")
    }

    /// Reads the authority.
    ///
    /// # Errors
    /// Where its files are missing, readable by others, or do not belong together.
    pub fn load_authority(&self) -> anyhow::Result<Authority> {
        let certificate =
            std::fs::read_to_string(self.authority()).context("read the authority's certificate")?;
        let key = read_private(&self.authority_key())
            .map_err(refused_key)
            .context("read the authority's key")?;
        let key = String::from_utf8(key).context("read the authority's key as text")?;
        Authority::from_pem(&certificate, &key).context("put the authority together")
    }

    /// Keeps a new authority.
    ///
    /// # Errors
    /// The file's.
    pub fn save_authority(&self, authority: &Authority) -> anyhow::Result<()> {
        write_private(&self.authority_key(), authority.key_pem().as_bytes())
            .context("write the authority's key")?;
        std::fs::write(self.authority(), authority.certificate_pem())
            .context("write the authority's certificate")
    }

    /// Reads the key that signs receipts.
    ///
    /// # Errors
    /// Where it is missing, readable by others, or no key.
    pub fn load_signing_key(&self) -> anyhow::Result<SigningKey> {
        let bytes = read_private(&self.signing_key())
            .map_err(refused_key)
            .context("read the signing key")?;
        SigningKey::from_pkcs8(&bytes).context("read the signing key")
    }

    /// The key that opens the nodes' batch files; made where there is none yet.
    ///
    /// # Errors
    /// Where it is readable by others, or no key.
    pub fn load_seal_key(&self) -> anyhow::Result<SealKey> {
        let path = self.folder.join("keys/batches.x25519");
        if !path.exists() {
            write_private(&path, &SealKey::generate().to_bytes()).context("write the key for files")?;
        }
        let bytes = read_private(&path)
            .map_err(refused_key)
            .context("read the key for files")?;
        SealKey::from_bytes(&bytes).context("read the key for files")
    }

    /// Keeps a new key that signs receipts.
    ///
    /// # Errors
    /// The file's.
    pub fn save_signing_key(&self, key: &SigningKey) -> anyhow::Result<()> {
        write_private(&self.signing_key(), key.to_pkcs8()).context("write the signing key")
    }
}
