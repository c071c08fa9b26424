//! What lies in the node's data directory, and its configuration file.

use std::path::{Path, PathBuf};

use anyhow::Context;
use rollcall_command::output::Refused;
use rollcall_rpc::authority::{read_private, write_private};
use rollcall_rpc::{ClientConfig, Recipient, RpcError, SealKey, SigningKey, Timeouts, VerifyingKey};
use rollcall_store::owner::Place;
use rollcall_store::{Role, Store};
use serde::{Deserialize, Serialize};

/// Paths within the data directory.
#[derive(Debug, Clone)]
pub struct Files {
    folder: PathBuf,
}

/// `node.toml`. Unknown keys are refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Name of the node, shown on its pages.
    pub name: String,
    /// The federation it belongs to.
    pub federation: String,
    /// Address of the aggregator, `https://host:port`; absent before enrolment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aggregator: Option<String>,
    /// Public key that signs the aggregator's receipts, hexadecimal; absent before enrolment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt_key: Option<String>,
    /// Public key that batch files are sealed for, as `rollcall-aggregator batch-key` prints it; absent before enrolment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch_key: Option<String>,
    /// Address of the workspace; plain HTTP, so loopback only.
    #[serde(default = "default_web_addr")]
    pub web_addr: String,
    /// Address of a relay, `https://host:port`, that carries files while the aggregator is out of reach.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relay: Option<String>,
    /// Seconds between comparisons with the aggregator while nothing changes at either end; between sync sessions, where
    /// the aggregator does not let them stay open.
    #[serde(default = "default_sync_seconds")]
    pub sync_seconds: u64,
    /// Filter of the log, in the notation of `tracing`.
    #[serde(default = "default_log")]
    pub log: String,
    /// JSON lines instead of text.
    #[serde(default)]
    pub log_json: bool,
}

fn default_web_addr() -> String {
    "127.0.0.1:7481".to_owned()
}

fn default_sync_seconds() -> u64 {
    60
}

fn default_log() -> String {
    "info".to_owned()
}

impl Config {
    /// The defaults of a node that is not enrolled.
    pub fn new(name: String, federation: String) -> Self {
        Self {
            name,
            federation,
            aggregator: None,
            receipt_key: None,
            batch_key: None,
            web_addr: default_web_addr(),
            relay: None,
            sync_seconds: default_sync_seconds(),
            log: default_log(),
            log_json: false,
        }
    }

    /// Whom batch files are sealed for.
    ///
    /// # Errors
    /// `NOT_ENROLLED`; `RECIPIENT_MISSING` where enrolment did not bring the key, `RECIPIENT_INVALID` where it is none.
    pub fn batch_key(&self) -> anyhow::Result<Recipient> {
        self.receipt_key()?;
        let Some(text) = self.batch_key.as_deref() else {
            let message = "This node was enrolled before files could be sent. Have rollcall-aggregator batch-key print \
                           the aggregator's key, and say --recipient KEY once.";
            return Err(Refused::new("RECIPIENT_MISSING", message).into());
        };
        text.parse()
            .map_err(|error: RpcError| Refused::new(error.code(), error.to_string()).into())
    }

    /// The key that receipts are checked with.
    ///
    /// # Errors
    /// `NOT_ENROLLED` where there is none.
    pub fn receipt_key(&self) -> anyhow::Result<VerifyingKey> {
        let text = self.receipt_key.as_deref().ok_or_else(not_enrolled)?;
        let mut key = [0; 32];
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return Err(Refused::new("CONFIG_UNKNOWN", "receipt_key has 64 hexadecimal digits.").into());
        }
        for (byte, pair) in key.iter_mut().zip(digits.chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).context("read receipt_key")?;
            *byte = u8::from_str_radix(pair, 16).context("read receipt_key")?;
        }
        Ok(VerifyingKey(key))
    }
}

/// The refusal of whatever needs an aggregator.
pub fn not_enrolled() -> Refused {
    Refused::new(
        "NOT_ENROLLED",
        "This node is not enrolled with an aggregator; ask for a token and run enrol.",
    )
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

    /// What lies here for other nodes.
    pub fn relay(&self) -> PathBuf {
        self.folder.join("relay")
    }

    fn config(&self) -> PathBuf {
        self.folder.join("node.toml")
    }

    fn keys(&self, name: &str) -> PathBuf {
        self.folder.join("keys").join(name)
    }

    /// The key that signs batches: a secret.
    fn signing_key(&self) -> PathBuf {
        self.keys("signing.pk8")
    }

    /// Locked by the one process that is syncing.
    pub fn sync_lock(&self) -> PathBuf {
        self.folder.join("sync.lock")
    }

    /// Locked by whoever waits for the process that is syncing to let go.
    pub fn sync_wanted(&self) -> PathBuf {
        self.folder.join("sync.wanted")
    }

    /// Opens the store; one that is damaged is only read.
    ///
    /// # Errors
    /// `NO_DATA` where there is none; the store's.
    pub fn open_store(&self) -> anyhow::Result<Store> {
        if !self.store().is_file() {
            return Err(self.no_data().into());
        }
        let remedy =
            "Stop serve and run rebuild --from-centre; what was not sent is saved if it can be read.";
        let store = rollcall_command::upkeep::open_store(&self.store(), remedy)?;
        rollcall_command::upkeep::note_keys(&store, || {
            Ok(self.load_signing_key()?.verifying_key().0.to_vec())
        });
        Ok(store)
    }

    /// Whose backup belongs here, by the keys and the configuration that are here.
    ///
    /// # Errors
    /// Where any of them is there and cannot be read.
    pub fn place(&self, takes_over: bool) -> anyhow::Result<Place> {
        let federation = if self.config().is_file() {
            Some(
                self.load_config()?
                    .federation
                    .parse()
                    .context("read the federation")?,
            )
        } else {
            None
        };
        Ok(Place {
            role: Role::Node,
            federation,
            signing_key: if self.signing_key().exists() {
                Some(self.load_signing_key()?.verifying_key().0.to_vec())
            } else {
                None
            },
            takes_over,
        })
    }

    fn no_data(&self) -> Refused {
        let folder = self.folder.display();
        let message = format!("There is no node in {folder}; make one with init.");
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

    /// Keeps certificate, root and TLS key.
    ///
    /// # Errors
    /// The file's.
    pub fn save_certificate(&self, certificate: &str, authority: &str, key: &str) -> anyhow::Result<()> {
        write_private(&self.keys("tls-key.pem"), key.as_bytes()).context("write the TLS key")?;
        std::fs::write(self.keys("authority.pem"), authority).context("write the authority's certificate")?;
        std::fs::write(self.keys("certificate.pem"), certificate).context("write the certificate")
    }

    /// This node's certificate, once it is enrolled.
    pub fn certificate(&self) -> Option<String> {
        std::fs::read_to_string(self.keys("certificate.pem")).ok()
    }

    /// Keeps the key that signs batches.
    ///
    /// # Errors
    /// The file's.
    pub fn save_signing_key(&self, key: &SigningKey) -> anyhow::Result<()> {
        write_private(&self.signing_key(), key.to_pkcs8()).context("write the signing key")
    }

    /// Reads the key that signs batches.
    ///
    /// # Errors
    /// Where it is missing, readable by others, or no key.
    pub fn load_signing_key(&self) -> anyhow::Result<SigningKey> {
        let bytes = read_private(&self.signing_key())
            .map_err(refused_key)
            .context("read the signing key")?;
        SigningKey::from_pkcs8(&bytes).context("read the signing key")
    }

    /// The key that opens answers by file; made where there is none yet.
    ///
    /// # Errors
    /// Where it is readable by others, or no key.
    pub fn load_seal_key(&self) -> anyhow::Result<SealKey> {
        let path = self.keys("batches.x25519");
        if !path.exists() {
            write_private(&path, &SealKey::generate().to_bytes()).context("write the key for files")?;
        }
        let bytes = read_private(&path)
            .map_err(refused_key)
            .context("read the key for files")?;
        SealKey::from_bytes(&bytes).context("read the key for files")
    }

    /// How to reach the aggregator.
    ///
    /// # Errors
    /// `NOT_ENROLLED`, or key files that are missing or readable by others.
    pub fn client_config(&self, config: &Config) -> anyhow::Result<ClientConfig> {
        let url = config.aggregator.clone().ok_or_else(not_enrolled)?;
        let read =
            |name: &str| std::fs::read_to_string(self.keys(name)).with_context(|| format!("read {name}"));
        let key = read_private(&self.keys("tls-key.pem"))
            .map_err(refused_key)
            .context("read the TLS key")?;
        Ok(ClientConfig {
            url,
            authority_pem: read("authority.pem")?,
            certificate_pem: read("certificate.pem")?,
            key_pem: String::from_utf8(key).context("read the TLS key as text")?,
            server_name: None,
            timeouts: Timeouts::default(),
        })
    }
}
