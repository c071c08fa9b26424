//! Runs a fuzz target for a while and says what it found. Inputs are run by a second process with a limit on its memory:
//! where that one dies, the seed it had begun is in its note, and the run goes on behind it.
//! An input may take two seconds of work and 256 MB (`reliability.md` 3.3); what takes longer is run again before it
//! counts, because the machine may have been busy.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this program reports to whoever runs it"
)]

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Parser;
use rollcall_testkit::fuzz::{Ready, Target};

/// Longest that one input may take.
const INPUT_MAX: Duration = Duration::from_secs(2);
/// Most memory that one input may take, KiB.
const INPUT_MEMORY_MAX_KIB: u64 = 256 * 1024;
/// Most memory that the process may ask for, KiB: an input that asks for gigabytes stops it at once.
const PROCESS_MEMORY_MAX_KIB: u64 = 4 * 1024 * 1024;
/// Inputs between two looks at the memory; F4 is looked at after each.
const INPUTS_PER_LOOK: u64 = 64;
/// Findings after which a run has said enough.
const FINDINGS_MAX: usize = 10;

/// Runs fuzz targets.
#[derive(Debug, Parser)]
#[command(name = "rollcall-fuzz", about)]
struct Arguments {
    /// F1 frames, F2 walker, F3 gate, F4 sessions; all of them where none is named.
    #[arg(long)]
    target: Option<Target>,
    /// How long each target runs.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// The first seed; the next ones follow.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// At most so many inputs of each target.
    #[arg(long, default_value_t = u64::MAX)]
    inputs: u64,
    /// Runs inputs in this very process and notes their seeds here.
    #[arg(long, hide = true)]
    note: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let targets = arguments
        .target
        .map_or_else(|| Target::ALL.to_vec(), |one| vec![one]);
    let mut sound = true;
    for target in targets {
        let outcome = match &arguments.note {
            Some(note) => work(target, &arguments, note),
            None => watch(target, &arguments),
        };
        match outcome {
            Ok(found_nothing) => sound &= found_nothing,
            Err(error) => {
                eprintln!("rollcall-fuzz: {error:#}");
                return ExitCode::from(2);
            }
        }
    }
    if sound {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Lets another process run the inputs; where it dies, says at which seed and goes on behind it.
fn watch(target: Target, arguments: &Arguments) -> Result<bool> {
    let own = std::env::current_exe().context("find this program")?;
    let folder = tempfile::TempDir::with_prefix("rollcall-fuzz-").context("make a temporary folder")?;
    let note = folder.path().join("seed");
    let begun = Instant::now();
    let (mut seed, mut sound, mut deaths) = (arguments.seed, true, 0);
    loop {
        let left = Duration::from_secs(arguments.seconds).saturating_sub(begun.elapsed());
        let done = seed - arguments.seed;
        let limit = format!("ulimit -v {PROCESS_MEMORY_MAX_KIB}; exec \"$0\" \"$@\"");
        let status = Command::new("sh")
            .args(["-c", &limit])
            .arg(&own)
            .args(["--target", &target.to_string()])
            .args(["--seconds", &left.as_secs().max(1).to_string()])
            .args(["--seed", &seed.to_string()])
            .args(["--inputs", &arguments.inputs.saturating_sub(done).to_string()])
            .arg("--note")
            .arg(&note)
            .status()
            .context("start the process that runs the inputs")?;
        match status.code() {
            Some(0) => return Ok(sound),
            Some(1) => return Ok(false),
            Some(2) => bail!("the process that runs the inputs failed"),
            _ => {}
        }
        let noted = std::fs::read(&note).context("read the note of the process that died")?;
        let noted = <[u8; 8]>::try_from(noted).ok().context("the note is cut")?;
        println!(
            "{target} seed {}: the process died: {status}",
            u64::from_be_bytes(noted)
        );
        (seed, sound, deaths) = (u64::from_be_bytes(noted) + 1, false, deaths + 1);
        if deaths == FINDINGS_MAX || begun.elapsed() >= Duration::from_secs(arguments.seconds) {
            return Ok(false);
        }
    }
}

/// What one input came to.
enum Fate {
    Taken,
    Refused,
    Found(String),
}

/// Runs inputs until the time is over.
fn work(target: Target, arguments: &Arguments, note: &Path) -> Result<bool> {
    // What panics is caught and told with its seed; the library's own panics within a trial are no findings.
    std::panic::set_hook(Box::new(|_| {}));
    let mut note = File::create(note).context("create the note")?;
    let ready = Ready::new(target);
    let begun = Instant::now();
    let (mut seed, mut taken, mut findings) = (arguments.seed, 0_u64, 0);
    let (mut slowest, mut largest) = ((Duration::ZERO, 0), (0, 0));
    let per_look = if target == Target::F4 { 1 } else { INPUTS_PER_LOOK };
    while begun.elapsed() < Duration::from_secs(arguments.seconds)
        && seed - arguments.seed < arguments.inputs
        && findings < FINDINGS_MAX
    {
        let first = seed;
        let before = forget_peak()?;
        for _ in 0..per_look.min(arguments.inputs - (seed - arguments.seed)) {
            note.seek(SeekFrom::Start(0)).context("write the note")?;
            note.write_all(&seed.to_be_bytes()).context("write the note")?;
            let (fate, took) = timed(&ready, seed)?;
            if took > slowest.0 {
                slowest = (took, seed);
            }
            match fate {
                Fate::Taken => taken += 1,
                Fate::Refused => {}
                Fate::Found(what) => {
                    println!("{target} seed {seed}: {what}");
                    findings += 1;
                }
            }
            seed += 1;
        }
        let grown = peak_kib()?.saturating_sub(before);
        if grown > largest.0 {
            largest = (grown, first);
        }
        if grown > INPUT_MEMORY_MAX_KIB {
            findings += large_inputs(target, &ready, first..seed)?;
        }
    }
    let inputs = seed - arguments.seed;
    println!(
        "{target}: {inputs} executions from seed {} in {:.1} s, {taken} taken, {findings} findings; slowest {} ms (seed \
         {}), most memory {} KiB (from seed {})",
        arguments.seed,
        begun.elapsed().as_secs_f64(),
        slowest.0.as_millis(),
        slowest.1,
        largest.0,
        largest.1
    );
    Ok(findings == 0)
}

/// One input and the time this thread worked for it; the best of three where it seems too slow.
fn timed(ready: &Ready, seed: u64) -> Result<(Fate, Duration)> {
    let mut best = Duration::MAX;
    for _ in 0..3 {
        let begun = worked()?;
        let fate = match catch_unwind(AssertUnwindSafe(|| ready.run(seed))) {
            Ok(Ok(true)) => Fate::Taken,
            Ok(Ok(false)) => Fate::Refused,
            Ok(Err(what)) => Fate::Found(what),
            Err(panic) => Fate::Found(format!("it panics: {}", panic_text(panic.as_ref()))),
        };
        best = best.min(worked()?.saturating_sub(begun));
        if best <= INPUT_MAX {
            return Ok((fate, best));
        }
    }
    Ok((Fate::Found(format!("it takes {} ms", best.as_millis())), best))
}

/// How long this thread has worked, by the kernel's books: what a busy machine does meanwhile does not count. Linux only,
/// as the measure of memory is.
fn worked() -> Result<Duration> {
    let books = std::fs::read_to_string("/proc/thread-self/schedstat").context("read the time worked")?;
    let first = books.split(' ').next().and_then(|first| first.parse().ok());
    Ok(Duration::from_nanos(first.context("find the time worked")?))
}

/// Runs inputs again one by one, after a batch of them took too much memory; how many of them do.
fn large_inputs(target: Target, ready: &Ready, seeds: std::ops::Range<u64>) -> Result<usize> {
    let mut found = 0;
    for seed in seeds {
        let before = forget_peak()?;
        timed(ready, seed)?;
        let grown = peak_kib()?.saturating_sub(before);
        if grown > INPUT_MEMORY_MAX_KIB {
            println!("{target} seed {seed}: it takes {grown} KiB");
            found += 1;
        }
    }
    Ok(found)
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_else(|| "without words".to_owned())
}

/// Forgets the peak of resident memory; what is resident now, KiB.
fn forget_peak() -> Result<u64> {
    std::fs::write("/proc/self/clear_refs", "5").context("reset the peak of memory")?;
    peak_kib()
}

/// The peak of resident memory since it was last forgotten, KiB.
fn peak_kib() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status").context("read the peak of memory")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse().ok());
    number.context("find the peak of memory")
}
