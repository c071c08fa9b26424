//! The copy of the tree that bugs are planted in: every file that git knows or would take, as it is now.
//! Owns the copy and goes with it; what was built of it stays under `target/drill` for the next drill.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::sabotage::Sabotage;
use crate::live::Scratch;

/// The copy.
pub(super) struct Tree {
    folder: Scratch,
    /// Where it is built: a place of its own, so that nothing of it is ever taken for a build of the tree itself.
    build: PathBuf,
}

impl Tree {
    /// Makes it.
    pub(super) fn copy(root: &Path) -> Result<Self> {
        let drill = root.join("target").join("drill");
        let folder = Scratch::at(&drill.join("tree"))?;
        for name in names(root)? {
            let from = root.join(&name);
            // Deleted and not yet committed as such.
            if !from.is_file() {
                continue;
            }
            let to = folder.path().join(&name);
            if let Some(parent) = to.parent() {
                std::fs::create_dir_all(parent).with_context(|| format!("make {}", parent.display()))?;
            }
            // The copies are younger than anything that was built before: cargo looks at nothing else.
            std::fs::copy(&from, &to).with_context(|| format!("copy {}", from.display()))?;
        }
        Ok(Self {
            folder,
            build: drill.join("build"),
        })
    }

    /// Its root.
    pub(super) fn root(&self) -> &Path {
        self.folder.path()
    }

    /// Where it is built.
    pub(super) fn build(&self) -> &Path {
        &self.build
    }

    /// Plants a bug; gives the file as it was.
    pub(super) fn plant(&self, sabotage: &Sabotage) -> Result<String> {
        let path = self.root().join(sabotage.file);
        let before = std::fs::read_to_string(&path).with_context(|| format!("read {}", sabotage.file))?;
        let found = before.matches(sabotage.text).count();
        ensure!(
            found == 1,
            "{}: its line stands {found} times in {}",
            sabotage.id,
            sabotage.file
        );
        let after = before.replacen(sabotage.text, sabotage.instead, 1);
        std::fs::write(&path, after).with_context(|| format!("write {}", sabotage.file))?;
        Ok(before)
    }

    /// Takes the bug out again.
    pub(super) fn put_back(&self, sabotage: &Sabotage, before: &str) -> Result<()> {
        let path = self.root().join(sabotage.file);
        std::fs::write(path, before).with_context(|| format!("write {}", sabotage.file))
    }
}

fn names(root: &Path) -> Result<Vec<PathBuf>> {
    let output = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output()
        .context("list the files of the tree")?;
    ensure!(
        output.status.success(),
        "git could not list the files of the tree"
    );
    let text = String::from_utf8(output.stdout).context("read the names of the files")?;
    Ok(text
        .split('\0')
        .filter(|name| !name.is_empty())
        .map(PathBuf::from)
        .collect())
}

#[cfg(test)]
mod tests {
    use super::super::sabotage::all;
    use super::*;

    #[test]
    fn a_bug_is_planted_where_its_line_stands_once_and_taken_out_again() {
        let tree = Tree {
            folder: Scratch::new("drill").expect("a folder"),
            build: PathBuf::new(),
        };
        let sabotage = &all()[0];
        let path = tree.root().join(sabotage.file);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        let read = || std::fs::read_to_string(&path).expect("a file");
        let sound = format!("before\n    {}\nafter\n", sabotage.text);
        std::fs::write(&path, &sound).expect("written");
        let before = tree.plant(sabotage).expect("planted");
        assert_eq!(read(), sound.replace(sabotage.text, sabotage.instead));
        tree.put_back(sabotage, &before).expect("taken out");
        assert_eq!(read(), sound);
        for text in [sound.replace(sabotage.text, "else"), sound.repeat(2)] {
            std::fs::write(&path, &text).expect("written");
            assert!(tree.plant(sabotage).is_err());
            assert_eq!(read(), text, "nothing is planted by halves");
        }
        let folder = tree.root().to_owned();
        drop(tree);
        assert!(!folder.exists());
    }
}
