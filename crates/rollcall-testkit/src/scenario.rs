//! What happens in a run, drawn from a seed beforehand: edits, sessions, faults, and how long the scheduler runs between.
//! Each step has chance of its own, so that a run with steps left out is still the same run (`shrink`).

use crate::chance::Chance;

/// What may happen to one frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mishap {
    /// It never arrives.
    Drop,
    /// It arrives twice.
    Duplicate,
    /// The next one overtakes it.
    Reorder,
    /// Something in it changes.
    Corrupt,
    /// The connection ends; what was on its way is lost.
    Cut,
    /// A node that went bad signs a poisoned change.
    Poison,
}

/// One step of a run. Processes and subjects are numbers modulo how many there are; process 0 is the aggregator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// A clerk saves an edit; `stale`: from a form opened before the last one.
    Edit {
        process: usize,
        subject: usize,
        number: usize,
        stale: bool,
    },
    /// The national office writes a document of its own.
    Own { number: usize },
    /// A node dials.
    Sync { process: usize },
    /// The next frame of the node's session has a mishap.
    Mishap { process: usize, up: bool, what: Mishap },
    /// The process is killed.
    Kill { process: usize },
    /// The process is started.
    Start { process: usize },
    /// Its file is copied, with `backup` (`marked`) or as a file.
    Copy { process: usize, marked: bool },
    /// A copy is put in the place of its file.
    Restore { process: usize, which: usize },
    /// A node's file is copied to another machine and started there too.
    Clone { process: usize },
    /// The network does not reach the node, or reaches it again.
    CutOff { process: usize, off: bool },
    /// The process's clock jumps.
    Skew { process: usize, ms: i64 },
    /// The disk is full, or has room again.
    Full { process: usize, full: bool },
    /// The node's certificate is revoked, or another one is issued.
    Revoke { process: usize, revoked: bool },
}

/// One step, and how the scheduler goes on after it.
#[derive(Debug, Clone)]
pub(crate) struct Turn {
    /// Number in the scenario as drawn: the name of its chance.
    pub(crate) number: u64,
    pub(crate) step: Step,
    /// Moves of the scheduler after it.
    pub(crate) moves: usize,
}

/// A whole run before the faults end.
#[derive(Debug, Clone)]
pub struct Scenario {
    pub(crate) seed: u64,
    /// Nodes there are at most.
    pub(crate) nodes_max: usize,
    /// Poison is bent with knowledge of how changes are built, not by a bit.
    pub(crate) bends: bool,
    pub(crate) turns: Vec<Turn>,
}

/// How often each sort of step is drawn; a run leaves most sorts of fault out, so that each also meets others alone.
struct Mix {
    mishaps: Vec<Mishap>,
    kill: usize,
    restore_node: usize,
    restore_centre: usize,
    clone: usize,
    cut_off: usize,
    skew: usize,
    full: usize,
    revoke: usize,
    stale: usize,
}

impl Mix {
    fn draw(chance: &mut Chance) -> Self {
        let all = [
            Mishap::Drop,
            Mishap::Duplicate,
            Mishap::Reorder,
            Mishap::Corrupt,
            Mishap::Cut,
            Mishap::Poison,
        ];
        let mut some = |share: usize, weight: usize| if chance.percent(share) { weight } else { 0 };
        Self {
            kill: some(50, 8),
            restore_node: some(25, 5),
            restore_centre: some(15, 4),
            clone: some(10, 3),
            cut_off: some(30, 5),
            skew: some(30, 3),
            full: some(20, 4),
            revoke: some(15, 3),
            stale: some(40, 30),
            mishaps: all.into_iter().filter(|_| chance.percent(40)).collect(),
        }
    }

    /// Every sort of mishap and few other faults, so that nothing distracts from the frames.
    fn hostile(chance: &mut Chance) -> Self {
        let mut some = |share: usize, weight: usize| if chance.percent(share) { weight } else { 0 };
        Self {
            kill: some(30, 4),
            restore_node: some(10, 3),
            restore_centre: 0,
            clone: some(10, 3),
            cut_off: 0,
            skew: 0,
            full: 0,
            revoke: 0,
            stale: some(40, 30),
            mishaps: vec![
                Mishap::Drop,
                Mishap::Duplicate,
                Mishap::Reorder,
                Mishap::Corrupt,
                Mishap::Corrupt,
                Mishap::Poison,
                Mishap::Poison,
                Mishap::Poison,
            ],
        }
    }
}

/// Most nodes of a run.
const OFFICES_MAX: usize = 6;

impl Scenario {
    /// The scenario of a seed.
    pub fn draw(seed: u64) -> Self {
        let mut chance = Chance::new(seed, "scenario", 0);
        let mix = Mix::draw(&mut chance);
        Self {
            seed,
            nodes_max: OFFICES_MAX,
            bends: false,
            turns: turns(&mut chance, &mix, 12),
        }
    }

    /// Three stores, and hardly a frame between them that arrives as it was sent: fuzz target F4 (`reliability.md` 3.3).
    pub fn hostile(seed: u64) -> Self {
        let mut chance = Chance::new(seed, "hostile", 0);
        let mix = Mix::hostile(&mut chance);
        Self {
            seed,
            nodes_max: 2,
            bends: true,
            turns: turns(&mut chance, &mix, 60),
        }
    }

    /// How many steps it has.
    pub fn len(&self) -> usize {
        self.turns.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }

    /// Its steps, one a line.
    pub fn lines(&self) -> Vec<String> {
        self.turns
            .iter()
            .map(|turn| format!("{} {:?}, then {} moves", turn.number, turn.step, turn.moves))
            .collect()
    }
}

/// The steps, and how long the scheduler goes on after each; `mishap` is how often one is a mishap.
fn turns(chance: &mut Chance, mix: &Mix, mishap: usize) -> Vec<Turn> {
    let weights = [
        (Sort::Edit, 40),
        (Sort::Own, 2),
        (Sort::Sync, 22),
        (Sort::Mishap, if mix.mishaps.is_empty() { 0 } else { mishap }),
        (Sort::Kill, mix.kill),
        (Sort::Start, 3 + mix.kill),
        (Sort::CopyNode, mix.restore_node),
        (Sort::CopyCentre, mix.restore_centre),
        (Sort::RestoreNode, mix.restore_node),
        (Sort::RestoreCentre, mix.restore_centre / 2),
        (Sort::Clone, mix.clone),
        (Sort::CutOff, mix.cut_off),
        (Sort::Skew, mix.skew),
        (Sort::Full, mix.full),
        (Sort::Revoke, mix.revoke),
    ];
    let total: usize = weights.iter().map(|(_, weight)| weight).sum();
    let length = chance.between(15, 90);
    (0..length)
        .map(|number| {
            let mut left = chance.below(total);
            let sort = weights
                .iter()
                .find(|(_, weight)| {
                    let here = left < *weight;
                    left = left.saturating_sub(*weight);
                    here
                })
                .map_or(Sort::Edit, |(sort, _)| *sort);
            let step = sort.draw(chance, mix, number);
            let busy = matches!(step, Step::Sync { .. } | Step::Mishap { .. });
            let moves = if busy {
                chance.between(0, 40)
            } else {
                chance.between(0, 8)
            };
            Turn {
                number: number as u64,
                step,
                moves,
            }
        })
        .collect()
}

#[derive(Clone, Copy)]
enum Sort {
    Edit,
    Own,
    Sync,
    Mishap,
    Kill,
    Start,
    CopyNode,
    CopyCentre,
    RestoreNode,
    RestoreCentre,
    Clone,
    CutOff,
    Skew,
    Full,
    Revoke,
}

impl Sort {
    fn draw(self, chance: &mut Chance, mix: &Mix, number: usize) -> Step {
        let any = chance.below(1000);
        let node = 1 + any;
        match self {
            Self::Edit => Step::Edit {
                process: node,
                subject: chance.below(1000),
                number: chance.below(60),
                stale: chance.percent(mix.stale),
            },
            Self::Own => Step::Own { number },
            Self::Sync => Step::Sync { process: node },
            Self::Mishap => Step::Mishap {
                process: node,
                up: chance.percent(50),
                what: *chance.pick(&mix.mishaps),
            },
            Self::Kill => Step::Kill { process: any },
            Self::Start => Step::Start { process: any },
            Self::CopyNode => Step::Copy {
                process: node,
                marked: chance.percent(50),
            },
            Self::CopyCentre => Step::Copy {
                process: 0,
                marked: chance.percent(70),
            },
            Self::RestoreNode => Step::Restore {
                process: node,
                which: chance.below(4),
            },
            Self::RestoreCentre => Step::Restore {
                process: 0,
                which: chance.below(4),
            },
            Self::Clone => Step::Clone { process: node },
            Self::CutOff => Step::CutOff {
                process: node,
                off: chance.percent(60),
            },
            Self::Skew => {
                let days = chance.between(0, 7_300) as i64 - 3_650;
                Step::Skew {
                    process: any,
                    ms: days * 86_400_000,
                }
            }
            Self::Full => Step::Full {
                process: any,
                full: chance.percent(60),
            },
            Self::Revoke => Step::Revoke {
                process: node,
                revoked: chance.percent(60),
            },
        }
    }
}
