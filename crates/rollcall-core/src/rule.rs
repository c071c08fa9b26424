//! The validation rules V01 to V38 of `domain.md` 12 as data: id, severity, sentence.
//! Owns what they are called and how bad a breach is; each is checked where its input is at hand.

use crate::problem::Severity;

/// One rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// Stable id, `V01` to `V38`.
    pub id: &'static str,
    /// The usual severity; some rules are milder or stricter in cases that their sentence names.
    pub severity: Severity,
    /// What must hold, or what someone should look at.
    pub sentence: &'static str,
}

macro_rules! rules {
    ($($id:literal $severity:ident $sentence:literal,)+) => {
        /// Every rule, in order.
        pub const RULES: &[Rule] = &[$(Rule { id: $id, severity: Severity::$severity, sentence: $sentence },)+];
    };
}

rules! {
    "V01" Error "The credit code is present, has 18 characters of its alphabet and digits at 3 to 8.",
    "V02" Error "Check character 18 of the credit code is right.",
    "V03" Error "Check character 17 of the credit code is right.",
    "V04" Warning "The prefix of the credit code is known.",
    "V05" Warning "The division code in the credit code is or was in the standard.",
    "V06" Warning "The recorded kind agrees with the prefix.",
    "V07" Alert "The recorded registration level agrees with positions 3 to 8 of the code.",
    "V08" Warning "A foundation is registered at a province or nationally.",
    "V09" Warning "Only a nationally registered body carries 中国, 中华 or 全国, and a private non-enterprise unit never.",
    "V10" Warning "The location code is in use at the date; a code unknown down to its first two digits is an error.",
    "V11" Error "The registration date is not in the future and not before 1949.",
    "V12" Error "Workers and members are whole numbers, and of one date members are no more than workers.",
    "V13" Error "A figure has a date that is not in the future and not before the registration.",
    "V14" Alert "25 members or more, but no committee of its own.",
    "V15" Alert "25 workers or more, eligible and not covered, and past the local deadline.",
    "V16" Warning "An own union has at least 3 members.",
    "V17" Alert "A joint union has at least 2 current units.",
    "V18" Error "An established union has an approval number and an approving federation above it; a warning before 2023-05-01.",
    "V19" Error "Within one cycle: application, founding approval, election and result follow one another.",
    "V20" Error "A term is 3 or 5 years; a missing one is a warning.",
    "V21" Alert "The term has ended, or ends within 90 days.",
    "V22" Warning "From 200 workers on the union has a full-time chair.",
    "V23" Warning "From the local number of female members on there is a women workers' committee.",
    "V24" Error "A union's code has prefix 81 or 89 and is not its employer's.",
    "V25" Error "A coverage link ends after it starts.",
    "V26" Alert "Two current own unions for one organisation.",
    "V27" Alert "The employer has ended and its union has not.",
    "V28" Alert "The same name with another code in one county, or the same code with another name.",
    "V29" Error "An exclusion has a reason and evidence.",
    "V30" Alert "An excluded organisation has workers (NO_WORKERS) or is covered.",
    "V31" Alert "The exclusions of an area rise by more than 2 points of its organisations in a month.",
    "V32" Error "An amount is above 0, in whole fen, of a known kind and state.",
    "V33" Error "A second fixed subsidy for one rule, union and period; DUPLICATE once money has moved.",
    "V34" Error "A payment goes to a union that is established; an alert once it is booked.",
    "V35" Error "Applicant, approver and payer are different persons.",
    "V36" Error "Payments stay within the approval, approvals within the fund; an alert once they are booked.",
    "V37" Error "Free text holds no identity number, mobile number or bank card.",
    "V38" Warning "The entry date of an event is not later than the clock of the recording node.",
}

/// The rule of an id.
pub fn rule(id: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.id == id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ids_run_from_v01_to_v38_without_a_gap() {
        let ids: Vec<String> = (1..=38).map(|number| format!("V{number:02}")).collect();
        assert!(
            RULES
                .iter()
                .map(|rule| rule.id)
                .eq(ids.iter().map(String::as_str))
        );
        assert_eq!(rule("V17").map(|rule| rule.severity), Some(Severity::Alert));
        assert_eq!(rule("V39"), None);
    }
}
