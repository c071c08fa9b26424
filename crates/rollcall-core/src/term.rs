//! The closed lists of the field: kinds, categories, states, forms, events (`cli.md` Records, `domain.md` 5 to 8).
//! Owns their names in records; leaves what follows from them to the modules of the rules.

use serde::{Deserialize, Serialize};

macro_rules! terms {
    ($(#[$doc:meta])* $name:ident { $($(#[$item_doc:meta])* $item:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$item_doc])* #[serde(rename = $text)] $item,)+
        }

        impl $name {
            /// Every value, in stable order.
            pub const ALL: &[Self] = &[$(Self::$item,)+];

            /// The name in records, tables and JSON.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$item => $text,)+
                }
            }

            /// The value of this name.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.name() == name)
            }
        }
    };
}

terms! {
    /// What an organisation is, as recorded; scope goes by the code's prefix instead.
    Kind {
        /// 社会团体, prefix 51.
        SocialGroup = "social_group",
        /// 民办非企业单位, prefix 52.
        PrivateNonEnterprise = "private_non_enterprise",
        /// 基金会, prefix 53.
        Foundation = "foundation",
        /// Prefixes 91 to 93.
        Enterprise = "enterprise",
        /// 事业单位, prefix 12.
        PublicInstitution = "public_institution",
        /// Prefix 31.
        LawFirm = "law_firm",
        /// Prefix 8x: belongs in the union register.
        Union = "union",
        /// Everything else.
        Other = "other",
    }
}

terms! {
    /// Category of the unit's work.
    Category {
        /// 幼儿园.
        Kindergarten = "kindergarten",
        /// 托儿所; in scope only by setting.
        Nursery = "nursery",
        /// 学校.
        School = "school",
        /// 医院.
        Hospital = "hospital",
        /// 门诊部, 诊所; hospital only by setting.
        Clinic = "clinic",
        /// None of these.
        Other = "other",
    }
}

terms! {
    /// 登记状态.
    RegistrationStatus {
        /// 正常.
        Registered = "registered",
        /// 注销.
        Deregistered = "deregistered",
        /// 撤销.
        Revoked = "revoked",
        /// 取缔.
        Banned = "banned",
    }
}

terms! {
    /// Whether it works, as found by a check.
    OperatingState {
        /// Works.
        Operating = "operating",
        /// 僵尸.
        Dormant = "dormant",
        /// Nobody has looked.
        Unknown = "unknown",
    }
}

terms! {
    /// Where a statement comes from, best first (`domain.md` 8: registry > check > self-report > import).
    Source {
        /// The registration authority.
        Registry = "registry",
        /// A federation's own check.
        Check = "check",
        /// The organisation itself.
        SelfReport = "self_report",
        /// A list of unknown standing.
        Import = "import",
    }
}

terms! {
    /// Why an in-scope organisation is not eligible (`domain.md` 5).
    ExclusionReason {
        /// No operation.
        Dormant = "DORMANT",
        /// No wage earner of its own.
        NoWorkers = "NO_WORKERS",
        /// All staff belong to another employer.
        HostStaff = "HOST_STAFF",
        /// Winding up has begun.
        InLiquidation = "IN_LIQUIDATION",
        /// Other reason, approved by the provincial federation.
        OtherApproved = "OTHER_APPROVED",
    }
}

terms! {
    /// Form of a grassroots union, best cover first.
    UnionForm {
        /// One employer, one committee.
        Own = "own",
        /// One committee for two or more units.
        Joint = "joint",
        /// Regional or industry federation below county level.
        Federation = "federation",
    }
}

terms! {
    /// What happens to a union (`cli.md` Records).
    UnionEvent {
        /// 3: application.
        Applied = "applied",
        /// 4: founding approved.
        FoundingApproved = "founding_approved",
        /// 6: election held.
        Elected = "elected",
        /// Result of a re-election approved.
        ResultApproved = "result_approved",
        /// 7: result approved = established.
        Established = "established",
        /// No longer counts until resumed.
        Suspended = "suspended",
        /// Counts again.
        Resumed = "resumed",
        /// The higher union moves the last day.
        TermExtended = "term_extended",
        /// 12: ended.
        Dissolved = "dissolved",
        /// 8: legal-person certificate.
        LegalPerson = "legal_person",
    }
}

terms! {
    /// Stage of founding a union (`domain.md` 8, `cli.md` dimensions).
    Stage {
        /// 0.
        Identified = "identified",
        /// 1.
        Mapped = "mapped",
        /// 2.
        Contacted = "contacted",
        /// 3.
        Applied = "applied",
        /// 4.
        FoundingApproved = "founding_approved",
        /// 5.
        Preparing = "preparing",
        /// 6.
        Elected = "elected",
        /// 7.
        Established = "established",
        /// 8.
        LegalPerson = "legal_person",
        /// 10.
        Running = "running",
        /// 12.
        Ended = "ended",
    }
}

terms! {
    /// Kind of a subsidy (`domain.md` 7).
    SubsidyKind {
        /// 专项资金.
        SpecialFund = "special_fund",
        /// 定额补助.
        FixedSubsidy = "fixed_subsidy",
        /// 项目补助.
        ProjectSubsidy = "project_subsidy",
    }
}

terms! {
    /// Entry in a special fund's ledger.
    FundEntryKind {
        /// Carried over.
        Opening = "opening",
        /// The federation's own money.
        SetAside = "set_aside",
        /// From a federation above.
        Received = "received",
        /// Given back by one below.
        ReturnedIn = "returned_in",
        /// To a federation below.
        PassedDown = "passed_down",
        /// Other than on unions.
        Spent = "spent",
        /// Given back to one above.
        ReturnedOut = "returned_out",
        /// Cancels one earlier entry.
        Reversal = "reversal",
    }
}

terms! {
    /// Entry in a subsidy case's ledger.
    SubsidyEntryKind {
        /// Asked for.
        Applied = "applied",
        /// Promised.
        Approved = "approved",
        /// Paid.
        Disbursed = "disbursed",
        /// Project accepted and accounted for.
        Settled = "settled",
        /// Paid back.
        Recovered = "recovered",
        /// Refused.
        Rejected = "rejected",
        /// Dropped.
        Cancelled = "cancelled",
        /// Cancels one earlier entry.
        Reversal = "reversal",
    }
}

terms! {
    /// Level of a federation or of a registration.
    Level {
        /// 100000.
        National = "national",
        /// xx0000.
        Province = "province",
        /// xxyy00.
        Prefecture = "prefecture",
        /// The rest.
        County = "county",
    }
}
