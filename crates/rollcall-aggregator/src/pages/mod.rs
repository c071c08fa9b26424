//! The console's pages, one file each.

pub mod overview;

#[cfg(test)]
mod tests;
