//! Federations as they are named on the command line.

use rollcall_core::division::Divisions;
use rollcall_core::id::FederationId;

use crate::output::Refused;

/// The federation of a code such as `330106` or `330000/education`.
///
/// # Errors
/// `PARAM_INVALID` for what is no code, `UNIT_UNKNOWN` where its division never was in the tables.
pub fn named(code: &str) -> Result<FederationId, Refused> {
    let federation: FederationId = code.parse().map_err(|_| {
        let message = format!("{code:?} is not a federation code such as 330106.");
        Refused::new("PARAM_INVALID", message)
    })?;
    let division = federation.division();
    if federation != FederationId::national() && Divisions::get().find(division).is_none() {
        let message = format!("There is no division {division} in the tables.");
        return Err(Refused::new("UNIT_UNKNOWN", message));
    }
    Ok(federation)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_divisions_of_the_tables_have_federations() {
        for code in ["100000", "330106", "330000/education", "330103"] {
            assert_eq!(named(code).expect(code).to_string(), code);
        }
        for (code, refusal) in [
            ("99", "PARAM_INVALID"),
            ("", "PARAM_INVALID"),
            ("990000", "UNIT_UNKNOWN"),
        ] {
            assert_eq!(named(code).expect_err(code).code, refusal, "{code}");
        }
    }
}
