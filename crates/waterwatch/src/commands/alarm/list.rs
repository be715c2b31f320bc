//! `waterwatch alarm list`: the alarms that are not normal, worst first.

use std::io::{self, Write};

use waterwatch_core::alarm::State;

use super::output;
use super::standing::{self, Standing, is_hidden};
use crate::cli::AlarmListOptions;
use crate::commands::page::json;
use crate::commands::page::time::Clock;
use crate::commands::{count, notice, printed};
use crate::failure::Failure;
use crate::store::reader::{Reader, Which};

pub(super) fn run(options: &AlarmListOptions) -> Result<(), Failure> {
    let clock = Clock::system();
    let read = || -> anyhow::Result<_> {
        Ok(Reader::open(&options.look.data.file)?.picture(Which::InAlarm, &clock.zone)?)
    };
    let picture = read().map_err(Failure::of_database)?;
    let listed = List::new(standing::worst_first(&picture, clock.now_ms()), options);
    let notice = (!options.look.json).then(|| notice(&picture.server, &clock)).flatten();
    let (mut out, terminal) = output();
    printed(listed.write(&mut out, options, &clock, terminal, notice.as_deref()).and_then(|()| out.flush()))
}

/// What is listed, and how many are not.
pub(super) struct List {
    shown: Vec<Standing>,
    left_out: Vec<State>,
}

impl List {
    pub(super) fn new(mut standings: Vec<Standing>, options: &AlarmListOptions) -> List {
        standings.retain(|standing| {
            standing.is_open() && options.source.as_ref().is_none_or(|source| *source == standing.key.0)
        });
        let is_shown = |state: State| {
            options.all
                || if options.state.is_empty() {
                    state != State::Normal && !is_hidden(state)
                } else {
                    options.state.contains(&state)
                }
        };
        let left_out =
            standings.iter().map(|standing| standing.state).filter(|state| !is_shown(*state)).collect();
        standings.retain(|standing| is_shown(standing.state));
        List { shown: standings, left_out }
    }

    pub(super) fn write(
        &self,
        out: &mut impl Write,
        options: &AlarmListOptions,
        clock: &Clock,
        terminal: bool,
        notice: Option<&str>,
    ) -> io::Result<()> {
        if options.look.json {
            return json::array(out, self.shown.iter().map(Standing::object));
        }
        if !self.shown.is_empty() {
            standing::write_table(out, &self.shown, clock, terminal)?;
            writeln!(out)?;
        }
        writeln!(out, "{}", self.summary())?;
        notice.map_or(Ok(()), |notice| writeln!(out, "{notice}"))
    }

    /// How many there are of which kind; none is left out without a word.
    fn summary(&self) -> String {
        let of = |states: &mut dyn Iterator<Item = State>| {
            let mut counts = [0; State::ALL.len()];
            for state in states {
                counts[usize::from(standing::rank(state))] += 1;
            }
            let mut states: Vec<State> = State::ALL.to_vec();
            states.sort_by_key(|state| standing::rank(*state));
            let parts = states.into_iter().zip(counts).filter(|(_, count)| *count > 0);
            parts.map(|(state, count)| format!("{count} {}", in_words(state))).collect::<Vec<_>>().join(", ")
        };
        let shown = match self.shown.len() {
            0 => "no alarms".to_owned(),
            number => {
                let states = of(&mut self.shown.iter().map(|standing| standing.state));
                format!("{}: {states}", count(number as u64, "alarm"))
            }
        };
        match self.left_out.len() {
            0 => shown,
            number => {
                format!(
                    "{shown}; {number} not shown: {} (--all shows them)",
                    of(&mut self.left_out.iter().copied())
                )
            }
        }
    }
}

fn in_words(state: State) -> &'static str {
    match state {
        State::Unacknowledged => "unacknowledged",
        State::ReturnedUnacknowledged => "returned unacknowledged",
        State::Acknowledged => "acknowledged",
        State::Shelved => "shelved",
        State::Suppressed => "suppressed",
        State::OutOfService => "out of service",
        State::Normal => "on, not yet an alarm",
    }
}
