//! `load`: one load against one server, measured.
//!
//! One thread does it all over epoll, and a report costs it next to nothing:
//! its bytes lie ready in a ring, replies are counted by their bytes. So the
//! generator leaves the processor to the server that it measures.

mod connection;
mod outcome;
mod pace;
mod reconnect;
mod ring;
mod source;
mod steady;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::ensure;
use hdrhistogram::Histogram;

pub(crate) use self::outcome::Outcome;
pub(crate) use self::pace::Pace;
pub(crate) use self::steady::Steady;
use crate::process::Usage;
use crate::protocol::Protocol;

/// The longest latency that is told apart.
const LATENCY_US_MAX: u64 = 60_000_000;

/// Connections that one poll looks after at most.
const EVENTS_MAX: usize = 1_024;

/// A load that nothing comes of is given up after this long: longer than a
/// server that is alive holds back an answer.
const ANSWER_WAIT: Duration = Duration::from_secs(10);

/// Options of `load`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The server to load
    #[arg(long, default_value = "127.0.0.1:54321", value_name = "ADDRESS:PORT")]
    server: SocketAddr,
    /// What it speaks
    #[arg(long, value_enum, default_value_t)]
    protocol: Protocol,
    /// What to load it with
    #[command(flatten)]
    shape: Shape,
    /// Send at this rate whatever is answered, and count the latency from when each report was due [default: send when answered]
    #[arg(long, value_name = "REPORTS/S", value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
    /// Open a connection for each report, so many at once as there are --connections
    #[arg(long, conflicts_with = "rate")]
    reconnect: bool,
    /// How long to measure
    #[arg(long, default_value_t = 5, value_name = "T", value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// How long to load it before that
    #[arg(long, default_value_t = 1, value_name = "W")]
    warm_up: u64,
    /// The server's process, to tell what a report costs it
    #[arg(long)]
    pid: Option<u32>,
}

/// The shape of a load.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Shape {
    /// How many connections
    #[arg(long, default_value_t = 64, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) connections: u32,
    /// Reports that each connection has in flight
    #[arg(long, default_value_t = 1, value_name = "K", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) in_flight: u32,
    /// How many stations report in turn, spread over the connections
    #[arg(long, default_value_t = 10_000, value_name = "S", value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
    pub(crate) stations: u32,
    /// How many further stations report while it warms up, instead of those that are measured; 0 for none
    #[arg(long, default_value_t = 0, value_name = "S", value_parser = clap::value_parser!(u32).range(..=100_000_000))]
    pub(crate) warm_up_stations: u32,
    /// Stations report in no order, as independent ones do, and not in that of their ids
    #[arg(long)]
    pub(crate) shuffled: bool,
}

impl Shape {
    /// The smallest station id: a power of ten that is at least the number of
    /// stations, so that all ids have equally many digits.
    pub(crate) fn first_id(self) -> u64 {
        let stations = u64::from(self.stations) + u64::from(self.warm_up_stations);
        let powers = (0..).map(|digits| 10_u64.pow(digits));
        powers.into_iter().find(|&power| power >= stations).expect("a power of ten beyond it")
    }
}

/// What a server is loaded with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Work {
    /// What is spoken.
    pub(crate) protocol: Protocol,
    /// How much of it.
    pub(crate) shape: Shape,
    /// When.
    pub(crate) pace: Pace,
}

/// How long to load and whom to watch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    /// Not measured.
    pub(crate) warm_up: Duration,
    /// Measured.
    pub(crate) measured: Duration,
    /// The server's process, if known.
    pub(crate) pid: Option<u32>,
}

/// Loads a server and prints what it did.
///
/// # Errors
/// The load could not be made, or not everything was acknowledged.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    // Who needs more than that gives hears it when a connection fails.
    let _ = waterwatch::open_files::raise();
    let span = Span {
        warm_up: Duration::from_secs(options.warm_up),
        measured: Duration::from_secs(options.seconds),
        pid: options.pid,
    };
    let pace = match options.rate {
        Some(rate) => Pace::Open { reports_per_s: f64::from(rate) },
        None if options.reconnect => Pace::Reconnect,
        None => Pace::Closed,
    };
    let work = Work { protocol: options.protocol, shape: options.shape, pace };
    let outcome = measure(options.server, work, span)?;
    print!("{}", outcome.table());
    outcome.check()
}

/// Loads the server at this address.
///
/// # Errors
/// It cannot be reached, or says nothing at all any more.
pub(crate) fn measure(server: SocketAddr, work: Work, span: Span) -> anyhow::Result<Outcome> {
    let shape = work.shape;
    ensure!(
        shape.stations >= shape.connections,
        "--stations {} are too few for --connections {}: each needs a station of its own",
        shape.stations,
        shape.connections
    );
    let mut load: Box<dyn Load> = if work.pace == Pace::Reconnect {
        Box::new(reconnect::Reconnecting::new(server, work)?)
    } else {
        Box::new(Steady::connect(server, work)?)
    };
    load.drive(Instant::now() + span.warm_up)?;
    load.measured_stations_take_over();

    let server_before = span.pid.map(Usage::of).transpose()?;
    let generator_before = Usage::of(std::process::id())?;
    let counts = load.counts();
    counts.acknowledged = 0;
    counts.latency_us.reset();
    counts.late_us.reset();
    let began = Instant::now();
    load.drive(began + span.measured)?;
    let lasted = began.elapsed();
    let server_after = span.pid.map(Usage::of).transpose()?;

    Ok(Outcome {
        lasted,
        counts: std::mem::take(load.counts()),
        server: server_after.zip(server_before).map(|(after, before)| after.since(before)),
        generator: Usage::of(std::process::id())?.since(generator_before),
    })
}

/// A load that can be kept up.
trait Load {
    /// Keeps it up until `end`.
    fn drive(&mut self, end: Instant) -> anyhow::Result<()>;

    /// The warm-up is over: from the next report on, the stations that are
    /// measured report.
    fn measured_stations_take_over(&mut self);

    fn counts(&mut self) -> &mut Counts;
}

/// What is counted over all connections.
#[derive(Debug)]
pub(crate) struct Counts {
    /// Acknowledgements.
    pub(crate) acknowledged: u64,
    /// All other replies, from the first report on.
    pub(crate) refused: u64,
    /// Connections that the server ended.
    pub(crate) ended: u64,
    /// From the write, the moment it was due, or the beginning of its
    /// connection to the reply.
    pub(crate) latency_us: Histogram<u64>,
    /// How late we were ourselves with what was due: a server is not to blame
    /// for that part of a latency.
    pub(crate) late_us: Histogram<u64>,
}

impl Default for Counts {
    fn default() -> Counts {
        let empty = || Histogram::new_with_bounds(1, LATENCY_US_MAX, 3).expect("constant bounds");
        Counts { acknowledged: 0, refused: 0, ended: 0, latency_us: empty(), late_us: empty() }
    }
}

impl Counts {
    /// Replies that are no acknowledgement are all counted; this many are
    /// printed.
    const PRINTED_MAX: u64 = 10;

    fn latency(&mut self, latency: Duration, replies: u64) {
        self.latency_us.saturating_record_n(whole_us(latency), replies);
    }

    fn late(&mut self, late: Option<Duration>) {
        if let Some(late) = late {
            self.late_us.saturating_record(whole_us(late));
        }
    }

    fn refuse(&mut self, replies: Vec<Vec<u8>>) {
        for reply in replies {
            self.refused += 1;
            if self.refused <= Self::PRINTED_MAX {
                eprintln!("not acknowledged: {}", reply.escape_ascii());
            }
        }
    }
}

fn whole_us(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
