//! What `serve` is to do: options before variables before the file before
//! the defaults, checked once and then only read.

mod calling;
pub mod check;
mod fields;
mod points;
pub mod problem;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use ipnet::IpNet;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde::de::IgnoredAny;
use thiserror::Error;
use waterwatch_core::calling::Plan;
use waterwatch_core::settings::{Fleet, GRACE_S, PERIOD_S, SHARE_PERCENT, TOGETHER_S};

use self::points::FilePoints;
use crate::log::{LogFormat, LogOptions};

/// What `waterwatch serve` can be told on the command line and by variables.
#[derive(Debug, Default, Args)]
pub struct ServeOptions {
    /// The configuration file (TOML)
    #[arg(long, env = "WATERWATCH_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The database [default: data.sqlite]
    #[arg(long, env = "WATERWATCH_DATA", value_name = "FILE")]
    pub data: Option<PathBuf>,
    /// An address that stations report to; may be given several times [default: 127.0.0.1:54321]
    #[arg(long, env = "WATERWATCH_LISTEN", value_name = "ADDRESS:PORT", value_delimiter = ',', value_parser = socket_address)]
    pub listen: Vec<SocketAddr>,
    /// Who may connect to the --listen addresses, such as 10.20.0.0/16; required beyond loopback
    #[arg(long, env = "WATERWATCH_ALLOW", value_name = "RANGE", value_delimiter = ',')]
    pub allow: Vec<Range>,
    /// The address of the HTTP API, or off [default: 127.0.0.1:8321]
    #[arg(long, env = "WATERWATCH_HTTP", value_name = "ADDRESS:PORT")]
    pub http: Option<Http>,
    /// A backup, whose age the metrics tell; the newest of several, also those that * in its name stands for
    #[arg(long, env = "WATERWATCH_BACKUP", value_name = "FILE", value_delimiter = ',')]
    pub backup: Vec<PathBuf>,
    /// The zone of last_date, such as Europe/Berlin [default: this machine's]
    #[arg(long, env = "WATERWATCH_TIME_ZONE", value_name = "ZONE")]
    pub time_zone: Option<String>,
    /// How the log is written
    #[command(flatten)]
    pub log: LogOptions,
    /// What holds for every station
    #[command(flatten, next_help_heading = "Stations")]
    pub fleet: FleetOptions,
    /// Limits
    #[command(flatten, next_help_heading = "Limits")]
    pub limits: LimitOptions,
}

/// The configuration file. Unknown keys are refused.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    data: Option<PathBuf>,
    http: Option<Http>,
    #[serde(default)]
    backup: Vec<PathBuf>,
    time_zone: Option<String>,
    log_format: Option<LogFormat>,
    #[serde(default)]
    listen: Vec<FileListener>,
    #[serde(default)]
    fleet: FleetOptions,
    #[serde(default)]
    points: FilePoints,
    #[serde(default)]
    limits: LimitOptions,
    /// What `calling` reads.
    #[serde(default, rename = "contacts")]
    _contacts: IgnoredAny,
    #[serde(default, rename = "rotas")]
    _rotas: IgnoredAny,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileListener {
    address: SocketAddr,
    #[serde(default)]
    transport: Transport,
    #[serde(default)]
    allow: Vec<Range>,
}

/// How a listener's connections are carried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// As plain text: anyone on the way can read and change it.
    #[default]
    Plain,
}

/// Where the HTTP API is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Http {
    /// Nowhere.
    Off,
    /// At this address; port 0 lets the system choose.
    On(SocketAddr),
}

impl Http {
    /// Its address, if it is on.
    #[must_use]
    pub fn address(self) -> Option<SocketAddr> {
        match self {
            Http::Off => None,
            Http::On(address) => Some(address),
        }
    }
}

impl Default for Http {
    fn default() -> Http {
        Http::On(SocketAddr::from(([127, 0, 0, 1], 8321)))
    }
}

impl std::str::FromStr for Http {
    type Err = String;

    fn from_str(text: &str) -> Result<Http, String> {
        if text == "off" {
            return Ok(Http::Off);
        }
        text.parse().map(Http::On).map_err(|_| {
            format!(
                "\"{text}\" is no IP address and port; write it like 127.0.0.1:8321 or [::1]:8321, or off"
            )
        })
    }
}

impl TryFrom<String> for Http {
    type Error = String;

    fn try_from(text: String) -> Result<Http, String> {
        text.parse()
    }
}

/// A range of addresses: `10.20.0.0/16`, or one address alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Range(IpNet);

impl Range {
    /// Whether `address` lies in it. An IPv4 address that arrives on an IPv6
    /// socket is taken as the IPv4 address that it is.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

impl std::str::FromStr for Range {
    type Err = String;

    fn from_str(text: &str) -> Result<Range, String> {
        text.parse::<IpNet>()
            .or_else(|_| text.parse::<IpAddr>().map(|address| IpNet::from(address.to_canonical())))
            .map(Range)
            .map_err(|_| {
                // No address is longer.
                let begin: String = text.chars().take(100).collect();
                format!("\"{begin}\" is no address range; write it like 10.20.0.0/16 or 10.20.0.7")
            })
    }
}

impl TryFrom<String> for Range {
    type Error = String;

    fn try_from(text: String) -> Result<Range, String> {
        text.parse()
    }
}

/// Where stations report to, and who may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// The address to bind; port 0 lets the system choose.
    pub address: SocketAddr,
    /// How its connections are carried.
    pub transport: Transport,
    /// Who may connect. Empty, which only a loopback address may have: anyone
    /// who can reach it.
    pub allow: Vec<Range>,
}

/// Everything that `serve` needs to know.
#[derive(Debug)]
pub struct Config {
    /// The file that said so, if there is one.
    pub file: Option<PathBuf>,
    /// The database.
    pub data: PathBuf,
    /// Where stations report to; at least one.
    pub listeners: Vec<Listener>,
    /// Where the HTTP API is.
    pub http: Http,
    /// Backups, whose age the metrics tell.
    pub backup: Vec<PathBuf>,
    /// The zone of `last_date`.
    pub time_zone: TimeZone,
    /// How the log is written.
    pub log_format: LogFormat,
    /// What holds for every station that says nothing else.
    pub fleet: Fleet,
    /// The limits.
    pub limits: Limits,
    /// Who is called, and when.
    pub plan: Plan,
}

impl Config {
    /// Makes one whole of the options (with the variables already in them),
    /// the file that they name, and the defaults.
    ///
    /// # Errors
    /// Says what is wrong and where: the file, line and column, or the option.
    pub fn load(options: ServeOptions) -> anyhow::Result<Config> {
        let path = options.config.clone();
        let text = path.as_deref().map(read_text).transpose()?.unwrap_or_default();
        let file = match &path {
            Some(path) => parse(path, &text)?,
            None => File::default(),
        };
        if options.listen.is_empty() && !options.allow.is_empty() {
            bail!(
                "--allow (or WATERWATCH_ALLOW) goes with --listen (or WATERWATCH_LISTEN); \
                 a [[listen]] table of the file has its own allow"
            );
        }
        let listeners: Vec<_> = if options.listen.is_empty() {
            file.listen
                .into_iter()
                .map(|FileListener { address, transport, allow }| Listener { address, transport, allow })
                .collect()
        } else {
            let listener =
                |address| Listener { address, transport: Transport::Plain, allow: options.allow.clone() };
            options.listen.into_iter().map(listener).collect()
        };
        let time_zone = time_zone(options.time_zone.or(file.time_zone).as_deref())?;
        let plan = match &path {
            Some(path) => check::plan(path, &text, &time_zone)?,
            None => Plan::default(),
        };
        let config = Config {
            data: options.data.or(file.data).unwrap_or_else(|| PathBuf::from("data.sqlite")),
            listeners: if listeners.is_empty() { vec![Listener::default()] } else { listeners },
            http: options.http.or(file.http).unwrap_or_default(),
            backup: if options.backup.is_empty() { file.backup } else { options.backup },
            time_zone,
            file: path,
            log_format: options.log.log_format.or(file.log_format).unwrap_or_default(),
            fleet: file.points.with(&options.fleet.or(file.fleet).checked()?)?,
            limits: options.limits.or(file.limits).checked()?,
            plan,
        };
        let limits = &config.limits;
        if limits.in_flight_bytes_max < 2 * limits.line_bytes_max {
            bail!(
                "in_flight_bytes_max must be at least twice line_bytes_max, so that a whole line always fits"
            );
        }
        if limits.lane_bytes_max < limits.in_flight_bytes_max {
            bail!("lane_bytes_max must be at least in_flight_bytes_max, what one connection may fill");
        }
        for listener in &config.listeners {
            if !listener.address.ip().to_canonical().is_loopback() && listener.allow.is_empty() {
                bail!(
                    "the listener {} can be reached from other machines and does not say who may connect: \
                     add allow = [\"10.20.0.0/16\"] to its [[listen]] table, or --allow 10.20.0.0/16",
                    listener.address
                );
            }
        }
        Ok(config)
    }
}

impl Default for Listener {
    fn default() -> Listener {
        Listener {
            address: SocketAddr::from(([127, 0, 0, 1], 54321)),
            transport: Transport::Plain,
            allow: Vec::new(),
        }
    }
}

fn read_text(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read the file {}", path.display()))
}

fn parse(path: &Path, text: &str) -> anyhow::Result<File> {
    // The error's own words say line and column and show the place.
    toml::from_str(text).with_context(|| format!("in the file {}", path.display()))
}

fn socket_address(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| "not an IP address and a port; write it like 127.0.0.1:54321 or [::1]:54321".to_owned())
}

/// The zone with this IANA name, or this machine's.
///
/// # Errors
/// If no such zone is known.
pub fn time_zone(name: Option<&str>) -> anyhow::Result<TimeZone> {
    match name {
        Some(name) => TimeZone::get(name)
            .with_context(|| format!("\"{name}\" is no known time zone; write it like Europe/Berlin")),
        // One that cannot be found is said in the log, and is UTC.
        None => Ok(TimeZone::system()),
    }
}

/// A number that may not be so small or so large.
#[derive(Debug, Error)]
#[error("{says}")]
struct OutOfRange {
    key: &'static str,
    says: String,
}

/// Declares each number once: as an option, a variable, a key of the file's
/// table, and a field with its default and its range.
macro_rules! numbers {
    ($(#[doc = $options_doc:literal])+ $options:ident,
     $(#[doc = $checked_doc:literal])+ $checked:ident,
     $( $(#[doc = $doc:literal])+ $name:ident: $type:ty, $flag:literal, $variable:literal, $unit:literal, $default:expr, $range:expr; )+) => {
        $(#[doc = $options_doc])+
        #[derive(Clone, Debug, Default, Args, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $options {
            $(
                $(#[doc = $doc])+
                #[arg(long = $flag, env = $variable, value_name = $unit)]
                pub $name: Option<$type>,
            )+
        }

        impl $options {
            fn or(self, file: $options) -> $options {
                $options { $( $name: self.$name.or(file.$name), )+ }
            }

            fn checked(self) -> anyhow::Result<$checked> {
                $(
                    let $name = self.$name.unwrap_or($default);
                    if !$range.contains(&$name) {
                        let range = $range;
                        let says = format!("{} = {} is out of range: from {} to {}",
                            stringify!($name), $name, range.start(), range.end());
                        bail!(OutOfRange { key: stringify!($name), says });
                    }
                )+
                Ok($checked { $( $name, )+ })
            }
        }

        $(#[doc = $checked_doc])+
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $checked {
            $( $(#[doc = $doc])+ pub $name: $type, )+
        }

        impl Default for $checked {
            fn default() -> $checked {
                $checked { $( $name: $default, )+ }
            }
        }
    };
}

numbers! {
    /// What the options and the file say of the stations.
    FleetOptions,
    /// What holds for every station that has no settings of its own.
    FleetNumbers,
    /// Seconds between two reports of a station; later than that it is late [default: 60]
    period_s: u32, "period-s", "WATERWATCH_PERIOD_S", "SECONDS", 60, PERIOD_S;
    /// Seconds beyond that until a station that says nothing is silent, which is an alarm: two more reports may be lost on the way [default: 120]
    grace_s: u32, "grace-s", "WATERWATCH_GRACE_S", "SECONDS", 120, GRACE_S;
    /// Seconds that a contact must be on until that is an alarm [default: 0]
    on_delay_s: u32, "on-delay-s", "WATERWATCH_ON_DELAY_S", "SECONDS", 0, 0..=86_400;
    /// Seconds that a contact must be off, while its station reports, until its alarm has returned to normal [default: 0]
    off_delay_s: u32, "off-delay-s", "WATERWATCH_OFF_DELAY_S", "SECONDS", 0, 0..=86_400;
    /// Percent of an area's stations that are one alarm of the area if they fall silent together, and no longer one each; three stations at least. 0: never [default: 50]
    area_silent_percent: u32, "area-silent-percent", "WATERWATCH_AREA_SILENT_PERCENT", "PERCENT", 50, SHARE_PERCENT;
    /// The same of all stations: one alarm of the server, since the fault may be on its side [default: 50]
    all_silent_percent: u32, "all-silent-percent", "WATERWATCH_ALL_SILENT_PERCENT", "PERCENT", 50, SHARE_PERCENT;
    /// Together is within so many seconds [default: 300]
    silent_together_s: u32, "silent-together-s", "WATERWATCH_SILENT_TOGETHER_S", "SECONDS", 300, TOGETHER_S;
}

numbers! {
    /// Limits as the options and the file give them.
    LimitOptions,
    /// Every limit of the server, named; the default stands beside its
    /// reason.
    Limits,
    /// Bytes a line may have before its newline. A report with every field that is reserved for later fits; a port scan does not fill memory [default: 512]
    line_bytes_max: usize, "line-bytes-max", "WATERWATCH_LINE_BYTES_MAX", "BYTES", 512, 64..=65_536;
    /// Connections in all; kept below what the system allows (RLIMIT_NOFILE) [default: as many as the system allows, at most 100000]
    connections_max: usize, "connections-max", "WATERWATCH_CONNECTIONS_MAX", "N", 100_000, 1..=10_000_000;
    /// Connections from one address; 0 is no limit, since a carrier puts a whole fleet behind one address [default: 0]
    connections_per_address_max: usize, "connections-per-address-max", "WATERWATCH_CONNECTIONS_PER_ADDRESS_MAX", "N", 0, 0..=10_000_000;
    /// Seconds a connection may stay without a whole report: five periods of a station that reports each minute [default: 300]
    idle_timeout_s: u64, "idle-timeout-s", "WATERWATCH_IDLE_TIMEOUT_S", "SECONDS", 300, 1..=86_400;
    /// Seconds a peer may take to accept a reply before it counts as gone [default: 10]
    reply_timeout_s: u64, "reply-timeout-s", "WATERWATCH_REPLY_TIMEOUT_S", "SECONDS", 10, 1..=3_600;
    /// Bytes of one connection that may be read and not yet answered; what a gateway sends beyond waits in its socket [default: 16384]
    in_flight_bytes_max: usize, "in-flight-bytes-max", "WATERWATCH_IN_FLIGHT_BYTES_MAX", "BYTES", 16_384, 128..=1_048_576;
    /// Bytes of all connections together that may be read and not yet stored; while they are that many, the server reads from nobody [default: 16777216]
    lane_bytes_max: usize, "lane-bytes-max", "WATERWATCH_LANE_BYTES_MAX", "BYTES", 16_777_216, 65_536..=1_073_741_824;
    /// Reports one transaction may take (more only if one connection sent more at once); bounds how long a commit holds up the next [default: 65536]
    batch_reports_max: usize, "batch-reports-max", "WATERWATCH_BATCH_REPORTS_MAX", "N", 65_536, 1..=1_048_576;
    /// Seconds a batch of reports that cannot be stored is tried again before its connections are closed unanswered; shorter than stations wait for their reply [default: 5]
    store_retry_s: u64, "store-retry-s", "WATERWATCH_STORE_RETRY_S", "SECONDS", 5, 0..=3_600;
    /// Stations of one batch up to which their rows are written in its own commit, if load is light; more are journaled and follow within seconds [default: 64]
    direct_reports_max: usize, "direct-reports-max", "WATERWATCH_DIRECT_REPORTS_MAX", "N", 64, 0..=65_536;
    /// Pages of 4 KiB a second that this may write; above it load is heavy, and all that says nothing new is journaled. A megabyte a second wears out no flash [default: 256]
    direct_pages_max: usize, "direct-pages-max", "WATERWATCH_DIRECT_PAGES_MAX", "N", 256, 0..=1_000_000;
    /// Milliseconds that a commit may wait for others to join it under heavy load: they share a sync, and no station notices [default: 10]
    commit_wait_ms_max: u64, "commit-wait-ms-max", "WATERWATCH_COMMIT_WAIT_MS_MAX", "MILLISECONDS", 10, 0..=1_000;
    /// HTTP connections in all: hundreds of open pages, and programs [default: 1024]
    http_connections_max: usize, "http-connections-max", "WATERWATCH_HTTP_CONNECTIONS_MAX", "N", 1_024, 1..=1_000_000;
    /// Streams of events (open pages, `events --follow`) in all; the other connections are left for short questions [default: 512]
    http_streams_max: usize, "http-streams-max", "WATERWATCH_HTTP_STREAMS_MAX", "N", 512, 0..=1_000_000;
    /// Seconds an HTTP connection may take to begin and end the head of a request; so long an idle one is kept [default: 10]
    http_head_timeout_s: u64, "http-head-timeout-s", "WATERWATCH_HTTP_HEAD_TIMEOUT_S", "SECONDS", 10, 1..=3_600;
    /// Seconds an HTTP request may take to arrive in whole and to be answered [default: 10]
    http_timeout_s: u64, "http-timeout-s", "WATERWATCH_HTTP_TIMEOUT_S", "SECONDS", 10, 1..=3_600;
    /// Bytes that the body of an HTTP request may have: a thousand reports fit [default: 262144]
    http_body_bytes_max: usize, "http-body-bytes-max", "WATERWATCH_HTTP_BODY_BYTES_MAX", "BYTES", 262_144, 1_024..=16_777_216;
    /// Seconds that last_date may be behind under heavy load; each time all of its pages are written [default: 10]
    last_date_lag_s_max: u64, "last-date-lag-s-max", "WATERWATCH_LAST_DATE_LAG_S_MAX", "SECONDS", 10, 1..=3_600;
    /// Bytes of the journal, about: what a start after a crash has to read, two seconds' worth [default: 268435456]
    journal_bytes_max: u64, "journal-bytes-max", "WATERWATCH_JOURNAL_BYTES_MAX", "BYTES", 268_435_456, 65_536_u64..=17_179_869_184;
    /// Bytes of SQLite's log (data.sqlite-wal) until it is emptied; a longer one writes each page to the database less often. It is emptied sooner once it has four times the database [default: 536870912]
    wal_bytes_max: u64, "wal-bytes-max", "WATERWATCH_WAL_BYTES_MAX", "BYTES", 536_870_912, 65_536_u64..=17_179_869_184;
    /// Spans of the history that are kept in all; beyond it the oldest go, so that a contact that chatters fills no disk. 80 bytes each, about [default: 10000000]
    spans_max: u64, "spans-max", "WATERWATCH_SPANS_MAX", "N", 10_000_000, 1_000_u64..=1_000_000_000;
    /// Stations known; a new one beyond it is refused [default: 1100000]
    stations_max: usize, "stations-max", "WATERWATCH_STATIONS_MAX", "N", 1_100_000, 1..=100_000_000;
    /// Stations that may be heard for the first time within an hour; more are recorded all the same, and are an alarm of the server: somebody invents ids, or a gateway lost its own [default: 1000]
    new_stations_per_hour_max: usize, "new-stations-per-hour-max", "WATERWATCH_NEW_STATIONS_PER_HOUR_MAX", "N", 1_000, 0..=100_000_000;
}

impl Limits {
    /// [`Limits::idle_timeout_s`] as a span of time.
    #[must_use]
    pub fn idle_timeout(&self) -> Duration {
        Duration::from_secs(self.idle_timeout_s)
    }

    /// [`Limits::reply_timeout_s`] as a span of time.
    #[must_use]
    pub fn reply_timeout(&self) -> Duration {
        Duration::from_secs(self.reply_timeout_s)
    }

    /// How long a round of the hand takes that keeps
    /// [`Limits::last_date_lag_s_max`]: some of it is left for slices that
    /// wait for a commit to join.
    #[must_use]
    pub fn last_date_round(&self) -> Duration {
        Duration::from_millis(self.last_date_lag_s_max * 950)
    }

    /// [`Limits::store_retry_s`] as a span of time.
    #[must_use]
    pub fn store_retry(&self) -> Duration {
        Duration::from_secs(self.store_retry_s)
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
