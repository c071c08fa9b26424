//! Uploaded lists between dry run and commit: files in the data directory under ids of our own.
//! Owns where they lie, what is remembered of each, and that old ones go; never uses a name that came from outside.

use std::fs::{self, File};
use std::io::{BufReader, ErrorKind};
use std::path::PathBuf;

use rollcall_core::problem::Problem;
use rollcall_exchange::{
    Field, ImportSummary, List, ListFormat, ListKind, Meaning, Plan, PlanSettings, ReadOptions,
};
use rollcall_exchange::{read_list, write_rejects};
use rollcall_replica::Error;
use rollcall_replica::edit::Editing;
use rollcall_replica::import::ImportFile;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::app::App;
use crate::files::Files;
use crate::import::new_import_id;

/// How long an upload is kept.
const KEPT_MS: u128 = 30 * 86_400_000;

/// What is remembered of an upload.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Upload {
    /// Id of the import it becomes.
    pub(super) import_id: String,
    /// Name as it came, for showing.
    pub(super) file_name: String,
    /// What it was said to be; empty: to be found out.
    pub(super) read_as: String,
    /// Encoding it was said to have.
    pub(super) encoding: Option<String>,
    /// Sheet that was asked for.
    pub(super) sheet: Option<String>,
    /// Heads of its columns and the fields they are read as.
    pub(super) columns: Vec<(String, Option<String>)>,
    /// As `import --json` prints it.
    pub(super) summary: serde_json::Value,
}

/// What a run over an upload gave.
pub(super) enum Ran {
    /// Read and sorted.
    Sorted(Box<Upload>),
    /// Nothing of it can be read.
    Refused(Problem),
}

/// Where the parts of uploads lie.
#[derive(Debug, Clone)]
pub(super) struct Uploads(PathBuf);

impl Uploads {
    pub(super) fn of(files: &Files) -> Self {
        Self(files.folder().join("uploads"))
    }

    /// A new id and the path of its bytes; makes the folder, and drops what is too old.
    pub(super) fn begin(&self, now_ms: i64) -> std::io::Result<(String, PathBuf)> {
        fs::create_dir_all(&self.0)?;
        self.drop_old(now_ms)?;
        let import_id = new_import_id();
        let path = self.data(&import_id);
        Ok((import_id, path))
    }

    fn drop_old(&self, now_ms: i64) -> std::io::Result<()> {
        let now_ms = u128::try_from(now_ms).unwrap_or(0);
        for entry in fs::read_dir(&self.0)? {
            let entry = entry?;
            let changed = entry.metadata()?.modified()?;
            let age = changed
                .duration_since(std::time::UNIX_EPOCH)
                .map_or(0, |since| since.as_millis());
            if now_ms.saturating_sub(age) > KEPT_MS {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    fn data(&self, import_id: &str) -> PathBuf {
        self.0.join(format!("{import_id}.data"))
    }

    fn kept(&self, import_id: &str) -> PathBuf {
        self.0.join(format!("{import_id}.json"))
    }

    /// The refused rows as a workbook.
    pub(super) fn rejects(&self, import_id: &str) -> PathBuf {
        self.0.join(format!("{import_id}.rejects.xlsx"))
    }

    /// Whether its bytes are still here, so that it can be carried out.
    pub(super) fn is_open(&self, import_id: &str) -> bool {
        is_id(import_id) && self.data(import_id).is_file()
    }

    /// What is remembered of an upload.
    pub(super) fn load(&self, import_id: &str) -> Result<Option<Upload>, Error> {
        if !is_id(import_id) {
            return Ok(None);
        }
        match fs::read(self.kept(import_id)) {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn save(&self, upload: &Upload) -> Result<(), Error> {
        let bytes = serde_json::to_vec(upload).map_err(std::io::Error::other)?;
        Ok(fs::write(self.kept(&upload.import_id), bytes)?)
    }

    /// Drops the bytes; what is remembered and the refused rows stay.
    pub(super) fn close(&self, import_id: &str) -> Result<(), Error> {
        remove(self.data(import_id))
    }

    /// Drops everything of an upload.
    pub(super) fn discard(&self, import_id: &str) -> Result<(), Error> {
        if !is_id(import_id) {
            return Err(Error::NoDocument(import_id.to_owned()));
        }
        remove(self.data(import_id))?;
        remove(self.kept(import_id))?;
        remove(self.rejects(import_id))
    }

    /// Sorts the rows and, unless it is a dry run, takes them in; remembers what came of it.
    pub(super) fn run(
        &self,
        app: &App,
        mut upload: Upload,
        by: &Editing,
        dry_run: bool,
    ) -> Result<Ran, Error> {
        let records = matches!(upload.read_as.as_str(), "records" | "subsidies")
            || (upload.read_as.is_empty() && upload.file_name.to_ascii_lowercase().ends_with(".jsonl"));
        let summary = if records {
            self.run_records(app, &upload, by, dry_run)?
        } else {
            match self.run_list(app, &mut upload, by, dry_run)? {
                Ok(summary) => summary,
                Err(problem) => return Ok(Ran::Refused(problem)),
            }
        };
        upload.summary = serde_json::to_value(&summary).map_err(std::io::Error::other)?;
        self.save(&upload)?;
        Ok(Ran::Sorted(Box::new(upload)))
    }

    fn run_records(
        &self,
        app: &App,
        upload: &Upload,
        by: &Editing,
        dry_run: bool,
    ) -> Result<ImportSummary, Error> {
        let path = self.data(&upload.import_id);
        let mut hasher = Sha256::new();
        std::io::copy(&mut File::open(&path)?, &mut hasher)?;
        let file = ImportFile {
            import_id: upload.import_id.clone(),
            file_name: upload.file_name.clone(),
            sha256: hasher.finalize().into(),
        };
        app.replica
            .import_records(&file, || File::open(&path).map(BufReader::new), by, dry_run)
    }

    fn run_list(
        &self,
        app: &App,
        upload: &mut Upload,
        by: &Editing,
        dry_run: bool,
    ) -> Result<Result<ImportSummary, Problem>, Error> {
        let options = ReadOptions {
            encoding: upload.encoding.clone(),
            sheet: upload.sheet.clone(),
            as_kind: match upload.read_as.as_str() {
                "organisations" => Some(ListKind::Organisations),
                "unions" => Some(ListKind::Unions),
                _ => None,
            },
            ..ReadOptions::default()
        };
        let list = match read_list(
            &fs::read(self.data(&upload.import_id))?,
            &upload.file_name,
            &options,
        ) {
            Ok(list) => list,
            Err(problem) => return Ok(Err(problem)),
        };
        let area = app
            .replica
            .scopes_written()?
            .first()
            .map(|scope| scope.division());
        let settings = PlanSettings {
            import_id: upload.import_id.clone(),
            today: rollcall_core::date::Day::of_unix_ms(by.now_ms),
            counts_on: None,
            area: area.filter(|area| *area != 100_000),
            campaign: app.settings()?,
        };
        let mut plan = app.replica.plan_list(&list, settings)?;
        if !dry_run {
            app.replica.commit_plan(&list, &mut plan, by)?;
        }
        self.write_rejects(upload, &list, &plan)?;
        upload.columns = columns(&list);
        Ok(Ok(plan.summary))
    }

    fn write_rejects(&self, upload: &Upload, list: &List, plan: &Plan) -> Result<(), Error> {
        let path = self.rejects(&upload.import_id);
        if plan.summary.refused == 0 {
            return remove(path);
        }
        let out = std::io::BufWriter::new(File::create(path)?);
        write_rejects(list, plan, ListFormat::Xlsx, out)?;
        Ok(())
    }
}

fn columns(list: &List) -> Vec<(String, Option<String>)> {
    let field = |meaning: &Meaning| match meaning {
        Meaning::Field(field) => Some(Field::name(*field).to_owned()),
        Meaning::Personal | Meaning::Unknown => None,
    };
    list.columns
        .iter()
        .map(|column| (column.head.clone(), field(&column.meaning)))
        .collect()
}

fn remove(path: PathBuf) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// Ids are made here, but come back in addresses.
fn is_id(text: &str) -> bool {
    text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_in_addresses_names_no_other_file() {
        for (text, is) in [
            ("0123456789abcdef", true),
            ("0123456789abcde", false),
            ("../../keys/tls-k", false),
            ("", false),
        ] {
            assert_eq!(is_id(text), is, "{text}");
        }
    }
}
