//! Leases: what only one process may do at a time, such as the sync session of a store (`protocol.md` 1.20).
//! Time is the caller's; a lease that has run out is free.

use crate::error::Error;
use crate::sqlite::{Reader, RowExt, Writer};

/// A lease as held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseRow {
    /// What for.
    pub name: String,
    /// Who holds it.
    pub holder: String,
    /// Until when.
    pub until_ms: i64,
}

impl Reader {
    /// Who holds a lease, run out or not.
    pub fn lease(&self, name: &str) -> Result<Option<LeaseRow>, Error> {
        self.one(
            "SELECT name, holder, until_ms FROM lease WHERE name = ?1",
            [name],
            |row| {
                Ok(LeaseRow {
                    name: row.text(0)?,
                    holder: row.text(1)?,
                    until_ms: row.i64(2)?,
                })
            },
        )
    }
}

impl Writer {
    /// Takes or renews a lease. [`Error::LeaseHeld`] while somebody else has it.
    pub fn acquire_lease(
        &mut self,
        name: &str,
        holder: &str,
        now_ms: i64,
        until_ms: i64,
    ) -> Result<(), Error> {
        if let Some(held) = self.lease(name)?
            && held.holder != holder
            && held.until_ms > now_ms
        {
            return Err(Error::LeaseHeld {
                holder: held.holder,
                until_ms: held.until_ms,
            });
        }
        self.run(
            "INSERT INTO lease (name, holder, until_ms) VALUES (?1, ?2, ?3) \
             ON CONFLICT (name) DO UPDATE SET holder = ?2, until_ms = ?3",
            (name, holder, until_ms),
        )?;
        Ok(())
    }

    /// Gives a lease back, if it is this holder's.
    pub fn release_lease(&mut self, name: &str, holder: &str) -> Result<(), Error> {
        self.run(
            "DELETE FROM lease WHERE name = ?1 AND holder = ?2",
            (name, holder),
        )?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
