//! The console's pages, one file each.

pub mod overview;
