//! Steps of the demo: a bar while one runs, its time when it is done, all times at the end.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};

use crate::say;

/// How often a bar is moved.
const LOOK: Duration = Duration::from_millis(500);

/// The steps so far, with their times.
pub(super) struct Steps {
    begun: Instant,
    done: Vec<(String, Duration)>,
}

impl Steps {
    /// None yet.
    pub(super) fn new() -> Self {
        Self {
            begun: Instant::now(),
            done: Vec::new(),
        }
    }

    /// Runs a step with a bar of `length`, or a spinner where it is 0; the step moves the bar.
    pub(super) fn run<T>(
        &mut self,
        name: &str,
        length: u64,
        step: impl FnOnce(&ProgressBar) -> Result<T>,
    ) -> Result<T> {
        let begun = Instant::now();
        let bar = ProgressBar::new(length);
        let form = if length == 0 {
            "{spinner} {msg} {elapsed}"
        } else {
            "{bar:30} {human_pos}/{human_len} {msg} {elapsed}"
        };
        if let Ok(style) = ProgressStyle::with_template(form) {
            bar.set_style(style);
        }
        bar.set_message(name.to_owned());
        bar.enable_steady_tick(Duration::from_millis(200));
        let result = step(&bar);
        bar.finish_and_clear();
        let took = begun.elapsed();
        if result.is_ok() {
            say::note(format!("{:6.1} s  {name}", took.as_secs_f64()));
        }
        self.done.push((name.to_owned(), took));
        result
    }

    /// All of them, the slowest first.
    pub(super) fn tell(mut self) {
        self.done.sort_by_key(|(_, took)| std::cmp::Reverse(*took));
        let sum = self.begun.elapsed().as_secs_f64();
        let slow: Vec<String> = self
            .done
            .iter()
            .take(4)
            .map(|(name, took)| format!("{name} {:.1} s", took.as_secs_f64()))
            .collect();
        say::line(format!(
            "Demo: every step is done in {sum:.0} s. Slowest: {}.",
            slow.join(", ")
        ));
    }
}

/// Does work while `look` keeps moving the bar.
pub(super) fn watched<T>(bar: &ProgressBar, look: impl Fn() -> u64 + Sync, work: impl FnOnce() -> T) -> T {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                bar.set_position(look());
                std::thread::park_timeout(LOOK);
            }
        });
        let result = work();
        over.store(true, Ordering::Relaxed);
        result
    })
}
