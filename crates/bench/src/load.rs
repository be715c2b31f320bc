//! `load`: a closed loop. Each connection keeps so many reports in flight and
//! sends the next ones when replies come, so the server sets the pace.
//!
//! One thread does it all over epoll, and a report costs it next to nothing:
//! its line lies ready in a ring, replies are counted by their bytes. So the
//! generator leaves the processor to the server that it measures.

mod connection;
mod replies;
mod ring;

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use hdrhistogram::Histogram;
use mio::{Events, Interest, Poll, Token};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use self::connection::Connection;
use crate::process::Usage;

/// The longest latency that is told apart.
const LATENCY_US_MAX: u64 = 60_000_000;

/// Connections that one poll looks after at most.
const EVENTS_MAX: usize = 1_024;

/// How long a connection may take to be accepted.
const CONNECT_WAIT: Duration = Duration::from_secs(5);

/// A load that nothing comes of is given up after this long: longer than a
/// server that is alive holds back an answer.
const ANSWER_WAIT: Duration = Duration::from_secs(10);

/// Replies that are no `OK` are all counted; this many are printed.
const PRINTED_MAX: u64 = 10;

/// Bytes that one read takes: a thousand connections share it.
const READ_BYTES: usize = 64 * 1_024;

/// Options of `load`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The server to load
    #[arg(long, default_value = "127.0.0.1:54321", value_name = "ADDRESS:PORT")]
    server: SocketAddr,
    /// What to load it with
    #[command(flatten)]
    shape: Shape,
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

/// What a load came to.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// How long was measured.
    pub(crate) lasted: Duration,
    /// Replies `OK` in that time.
    pub(crate) acknowledged: u64,
    /// All other replies, from the first report on.
    pub(crate) refused: u64,
    /// Connections that the server ended.
    pub(crate) ended: u64,
    /// From the write to the reply.
    pub(crate) latency_us: Histogram<u64>,
    /// What the server used in that time.
    pub(crate) server: Option<Usage>,
    /// What we used in that time.
    pub(crate) generator: Usage,
}

/// Loads a server and prints what it did.
///
/// # Errors
/// The load could not be made, or not every reply was `OK`.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let span = Span {
        warm_up: Duration::from_secs(options.warm_up),
        measured: Duration::from_secs(options.seconds),
        pid: options.pid,
    };
    let outcome = measure(options.server, options.shape, span)?;
    print!("{}", outcome.table());
    outcome.check()
}

/// Loads the server at this address.
///
/// # Errors
/// It cannot be reached, or says nothing at all any more.
pub(crate) fn measure(server: SocketAddr, shape: Shape, span: Span) -> anyhow::Result<Outcome> {
    ensure!(
        shape.stations >= shape.connections,
        "--stations {} are too few for --connections {}: each needs a station of its own",
        shape.stations,
        shape.connections
    );
    raise_open_files()?;
    let mut load = Load::connect(server, shape)?;
    load.drive(Instant::now() + span.warm_up)?;

    let server_before = span.pid.map(Usage::of).transpose()?;
    let generator_before = Usage::of(std::process::id())?;
    load.acknowledged = 0;
    load.latency_us.reset();
    let began = Instant::now();
    load.drive(began + span.measured)?;
    let lasted = began.elapsed();
    let server_after = span.pid.map(Usage::of).transpose()?;

    Ok(Outcome {
        lasted,
        acknowledged: load.acknowledged,
        refused: load.refused,
        ended: load.ended,
        latency_us: load.latency_us,
        server: server_after.zip(server_before).map(|(after, before)| after.since(before)),
        generator: Usage::of(std::process::id())?.since(generator_before),
    })
}

/// All connections and what is counted over them.
struct Load {
    poll: Poll,
    connections: Vec<Option<Connection>>,
    acknowledged: u64,
    refused: u64,
    ended: u64,
    latency_us: Histogram<u64>,
    answered_at: Instant,
}

impl Load {
    fn connect(server: SocketAddr, shape: Shape) -> anyhow::Result<Load> {
        let poll = Poll::new()?;
        let mut connections = Vec::new();
        for place in 0..shape.connections {
            let stream = TcpStream::connect_timeout(&server, CONNECT_WAIT)
                .with_context(|| format!("connection {} to {server}", place + 1))?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            let mut stream = mio::net::TcpStream::from_std(stream);
            let token = Token(connections.len());
            poll.registry().register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
            connections.push(Some(Connection::new(stream, ring::Ring::new(place, shape), shape.in_flight)));
        }
        Ok(Load {
            poll,
            connections,
            acknowledged: 0,
            refused: 0,
            ended: 0,
            latency_us: Histogram::new_with_bounds(1, LATENCY_US_MAX, 3).expect("constant bounds"),
            answered_at: Instant::now(),
        })
    }

    /// Keeps the load up until `end`. Each connection becomes writable when
    /// it is registered, which starts it.
    fn drive(&mut self, end: Instant) -> anyhow::Result<()> {
        let mut events = Events::with_capacity(EVENTS_MAX);
        let mut buffer = vec![0; READ_BYTES];
        loop {
            let now = Instant::now();
            if now >= end {
                return Ok(());
            }
            ensure!(
                now - self.answered_at < ANSWER_WAIT,
                "no answer to any report for {ANSWER_WAIT:?}: is this a waterwatch server?"
            );
            match self.poll.poll(&mut events, Some((end - now).min(ANSWER_WAIT))) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                done => done?,
            }
            for event in &events {
                self.serve(event.token().0, &mut buffer);
            }
            if self.connections.iter().all(Option::is_none) {
                bail!("the server has ended every connection");
            }
        }
    }

    /// Does what one connection is ready for.
    fn serve(&mut self, place: usize, buffer: &mut [u8]) {
        let Some(connection) = &mut self.connections[place] else { return };
        let done = connection.turn(buffer, |latency, replies| {
            let latency_us = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
            self.latency_us.saturating_record_n(latency_us, replies);
        });
        match done {
            Ok(acknowledged) => {
                self.acknowledged += acknowledged;
                if acknowledged > 0 {
                    self.answered_at = Instant::now();
                }
                for line in connection.take_strange() {
                    self.refused += 1;
                    if self.refused <= PRINTED_MAX {
                        eprintln!("not OK: {}", line.escape_ascii());
                    }
                }
            }
            Err(error) => {
                eprintln!("connection {} with {} in flight: {error}", place + 1, connection.in_flight());
                self.ended += 1;
                self.connections[place] = None;
            }
        }
    }
}

/// Allows this process as many open files as the system lets it.
fn raise_open_files() -> anyhow::Result<()> {
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })
        .context("cannot raise the limit on open files")
}

impl Outcome {
    /// Acknowledged reports a second.
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    pub(crate) fn reports_per_s(&self) -> f64 {
        self.acknowledged as f64 / self.lasted.as_secs_f64()
    }

    /// The latency, in µs, that this share of the reports did not exceed.
    pub(crate) fn latency_us(&self, share: f64) -> u64 {
        self.latency_us.value_at_quantile(share)
    }

    /// Processor time of the server for an acknowledged report, in µs.
    pub(crate) fn server_cpu_us(&self) -> Option<f64> {
        self.server.map(|used| self.each(used.cpu.as_secs_f64() * 1e6))
    }

    /// Processor time of the generator for an acknowledged report, in µs.
    pub(crate) fn generator_cpu_us(&self) -> f64 {
        self.each(self.generator.cpu.as_secs_f64() * 1e6)
    }

    /// Bytes that the server wrote to disk for an acknowledged report.
    #[expect(clippy::cast_precision_loss, reason = "a mean for people")]
    pub(crate) fn written_bytes(&self) -> Option<f64> {
        self.server.and_then(|used| used.written_bytes).map(|bytes| self.each(bytes as f64))
    }

    #[expect(clippy::cast_precision_loss, reason = "a mean for people")]
    fn each(&self, total: f64) -> f64 {
        total / self.acknowledged.max(1) as f64
    }

    /// # Errors
    /// Not every reply was `OK`, so the figures mean nothing.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        ensure!(
            self.refused == 0 && self.ended == 0,
            "{} replies were not OK and {} connections ended: the figures mean nothing",
            self.refused,
            self.ended
        );
        ensure!(self.acknowledged > 0, "nothing was acknowledged");
        Ok(())
    }

    fn table(&self) -> String {
        let known =
            |value: Option<f64>| value.map_or_else(|| "unknown".to_owned(), |value| format!("{value:.2}"));
        format!(
            "acknowledged            {:>12}\n\
             reports/s               {:>12.0}\n\
             latency p50             {:>12} µs\n\
             latency p99             {:>12} µs\n\
             latency p99.9           {:>12} µs\n\
             latency max             {:>12} µs\n\
             server CPU a report     {:>12} µs\n\
             generator CPU a report  {:>12.2} µs\n\
             disk bytes a report     {:>12}\n\
             not OK                  {:>12}\n\
             connections ended       {:>12}\n",
            self.acknowledged,
            self.reports_per_s(),
            self.latency_us(0.5),
            self.latency_us(0.99),
            self.latency_us(0.999),
            self.latency_us.max(),
            known(self.server_cpu_us()),
            self.generator_cpu_us(),
            known(self.written_bytes()),
            self.refused,
            self.ended,
        )
    }
}

#[cfg(test)]
mod tests;
