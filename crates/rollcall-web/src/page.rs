//! The pages of both programs as structs of plain values: a program fills one, the template of the same name draws it.
//! Owns no rule of the field and reads no store; texts that depend on data come in the reader's language already.

pub mod edit;
pub mod entries;
pub mod import;
pub mod money;
pub mod organisation;
pub mod organisations;
pub mod overview;
pub mod sync;
pub mod unions;
