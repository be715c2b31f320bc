//! `waterwatch serve`: every part of the server, and who hands what to whom.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, anyhow};
use jiff::Timestamp;
use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::config::{Config, ServeOptions, Transport};
use crate::failure::Failure;
use crate::health::Health;
use crate::intake::{self, Intake};
use crate::metrics::{Metrics, Sources};
use crate::plan::CurrentPlan;
use crate::pulse::Pulse;
use crate::store::Store;
use crate::store::lock::DataLock;
use crate::store::readers::Readers;
use crate::store::sqlite::SqliteStore;
use crate::web::{Feed, Parts, Web};
use crate::writer::{Onlookers, Rules};
use crate::{endpoint, lane, live, log, open_files, tokens, web, writer};

/// How long connections may take to be answered once the server stops.
const STOP_INTAKE: Duration = Duration::from_secs(3);

/// How long it may take in all until the writer has recorded what is left and
/// closed the file.
const STOP: Duration = Duration::from_millis(4500);

/// How long what is shown may take to its end after that.
const STOP_FOLLOWER: Duration = Duration::from_millis(300);

/// Those who read the database for HTTP at the same time, at most: more than there
/// are processors for them.
const READERS_MAX: usize = 8;

/// Delays that rest on a single report and are named at the start, each: a
/// fleet in which each station has its own must not fill the log.
const WARNINGS_NAMED_MAX: usize = 20;

/// Runs the server until a signal ends it.
///
/// # Errors
/// If the configuration is wrong, the database is not for us or fails, or an
/// address cannot be bound.
pub fn serve(options: ServeOptions) -> Result<(), Failure> {
    serve_from(options, |config, lock| {
        SqliteStore::open(&config.data, lock, config.time_zone.clone(), config.limits.clone())
    })
}

/// The same over a store that `open` gives: whole servers are measured and
/// broken that way, in programs of their own.
///
/// # Errors
/// Those of [`serve`].
pub fn serve_from<S: Store + Send + 'static>(
    options: ServeOptions,
    open: impl FnOnce(&Config, DataLock) -> anyhow::Result<S>,
) -> Result<(), Failure> {
    let config = Config::load(options).map_err(Failure::WrongInput)?;
    log::start(config.log_format);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(run(config, open)).map_err(Failure::of_database)
}

async fn run<S: Store + Send + 'static>(
    config: Config,
    open: impl FnOnce(&Config, DataLock) -> anyhow::Result<S>,
) -> anyhow::Result<()> {
    let config = Config { limits: open_files::within(&config.limits), ..config };
    let stopping = CancellationToken::new();
    let accepting = Arc::new(AtomicBool::new(false));
    let plan = CurrentPlan::of(&config);
    let signals = tokio::spawn(Signals::listen()?.obey(stopping.clone(), Arc::clone(&accepting)));
    let reloads = tokio::spawn(reload(plan.clone(), signal(SignalKind::hangup())?));
    if config.time_zone.is_unknown() {
        tracing::warn!("this machine's time zone cannot be found, so last_date is in UTC; set time_zone");
    }
    // Bound before the database is opened: one that is taken over from an old
    // server must not be changed while that server still has the address.
    let lock = DataLock::acquire(&config.data)?;
    // One that was killed could not take it back.
    if let Err(error) = endpoint::remove(&config.data) {
        tracing::warn!("{error:#}");
    }
    let bound = config.listeners.iter().map(intake::bind).collect::<anyhow::Result<Vec<_>>>()?;
    let http = config.http.address().map(web::bind).transpose()?;
    let mut store = open(&config, lock)?;
    let numbers = (config.listeners.iter())
        .map(|listener| store.listener(&listener.address.to_string()))
        .collect::<anyhow::Result<Vec<u16>>>()?;

    tokens::see_to_an_admin(&mut store, &config.data, Timestamp::now().as_millisecond())?;
    let http_number = match &http {
        // By what it was told to be: port 0 is another one after each start.
        Some(_) => {
            config.http.address().map(|address| store.listener(&format!("http {address}"))).transpose()?
        }
        None => None,
    };
    // A store that only measures has none: nobody may speak over HTTP then.
    let known = store.tokens().cloned().unwrap_or_default();
    let settled = store.settings(&config.fleet)?;
    let warnings = settled.settings.warnings();
    for (warning, whose) in warnings.iter().take(WARNINGS_NAMED_MAX) {
        tracing::warn!("{warning} ({whose})");
    }
    if warnings.len() > WARNINGS_NAMED_MAX {
        tracing::warn!(delays = warnings.len(), "more delays rest on a single report than are named here");
    }

    let (hang_up, hung_up) = watch::channel(());
    let health = Arc::new(Health::default());
    let (lane, operators, submissions) = lane::open(config.limits.lane_bytes_max);
    let recorded = store.sequence();
    let (publisher, follower, live) = live::open();
    let follower = Part::start("follower", move || follower.run())?;
    let feed_pulse = Arc::<Pulse>::default();
    let sources = Sources {
        health: Arc::clone(&health),
        lane: lane.level(),
        tokens: known.clone(),
        live: live.clone(),
        backup: config.backup.clone(),
        feed: Arc::clone(&feed_pulse),
    };
    let metrics = Arc::new(Metrics::new(&config.limits, sources));
    let writer = {
        let stopping = stopping.clone();
        let rules = Rules { limits: config.limits.clone(), settled, plan: plan.clone() };
        let hang_up = move || hang_up.send_replace(());
        let counts = metrics.recording.clone();
        let onlookers = Onlookers { health: Arc::clone(&health), publisher, counts };
        Part::start("writer", move || writer::run(submissions, store, rules, &hang_up, &stopping, onlookers))?
    };
    let mut listeners = JoinSet::new();
    let http_address = http.as_ref().map(|bound| bound.address);
    if let (Some(bound), Some(listener)) = (http, http_number) {
        let listening = numbers.iter().copied().zip(&config.listeners);
        let named = listening.map(|(number, listener)| (number, listener.address.to_string()));
        let web = Web::new(Parts {
            operators,
            lane: lane.clone(),
            listener,
            listeners: named.chain([(listener, format!("http {}", bound.address))]).collect(),
            health,
            // A reader of its own: who asks for much does not keep those waiting who follow.
            feed: Feed::new(
                Readers::open(&config.data, 1)?,
                recorded,
                live.last_recorded(),
                config.limits.http_streams_max,
                feed_pulse,
            ),
            live: live.clone(),
            lookers: Arc::new(Semaphore::new(web::LOOKERS_MAX)),
            readers: Readers::open(&config.data, READERS_MAX)?,
            tokens: known,
            configured: config.fleet.says(),
            plan: plan.clone(),
            metrics: Arc::clone(&metrics),
            limits: config.limits.clone(),
            stopping: stopping.clone(),
        });
        if !bound.address.ip().to_canonical().is_loopback() {
            tracing::warn!(
                address = %bound.address,
                "HTTP is plain text here: whoever is on the way can read tokens and use them"
            );
        }
        listeners.spawn(web.serve(bound));
    }
    let intake = Intake::new(lane, config.limits, stopping.clone(), hung_up, &metrics);
    let mut announced = String::new();
    for ((bound, listener), number) in bound.into_iter().zip(&config.listeners).zip(numbers) {
        if !bound.address.ip().to_canonical().is_loopback() {
            let Transport::Plain = listener.transport;
            tracing::warn!(
                address = %bound.address,
                "this listener speaks plain text: whoever is on the way can read reports and forge them"
            );
        }
        let address = bound.address;
        listeners.spawn(intake.clone().serve(bound, number));
        announced += &format!("listening stations {address}\n");
    }
    if let Some(address) = http_address {
        if let Err(error) = endpoint::write(&config.data, address) {
            tracing::warn!("commands do not find the server by its database: {error:#}");
        }
        announced += &format!("listening http {address}\n");
    }
    drop(intake);
    // All at once: whoever reads one line and closes the pipe has them all.
    std::io::stdout().write_all(announced.as_bytes()).context("cannot write to standard output")?;
    accepting.store(true, Ordering::SeqCst);
    tell_supervisor(NotifyState::Ready);

    let (mut writer_ended, mut follower_ended) = (writer.ended.clone(), follower.ended.clone());
    let mut failed = Ok(());
    tokio::select! {
        () = stopping.cancelled() => {}
        _ = writer_ended.changed() => {}
        // It ends after the writer, unless it gave up.
        _ = follower_ended.changed() => {}
        () = live.watch_over() => failed = Err(anyhow!("what is shown hangs: nothing is shown any more")),
        // A listener ends by itself only if it panicked.
        listener = listeners.join_next() => if let Some(Err(panic)) = listener {
            failed = Err(panic).context("a listener ended by itself");
        },
    }
    stopping.cancel();
    let stop_by = Instant::now() + STOP;
    tell_supervisor(NotifyState::Stopping);
    let answered = timeout(STOP_INTAKE, async { while listeners.join_next().await.is_some() {} }).await;
    if answered.is_err() {
        tracing::warn!("some connections did not end in time; they are closed unanswered");
        listeners.shutdown().await;
    }
    if http_address.is_some()
        && let Err(error) = endpoint::remove(&config.data)
    {
        tracing::warn!("{error:#}");
    }
    let Some(done) = writer.finish(stop_by).await else {
        // The disk hangs. What is acknowledged is durable, so nothing is lost by not
        // waiting for it.
        tracing::error!("the database does not come to its end; leaving it");
        log::exit(1);
    };
    // It ends with the writer, once it has followed what is left. What it shows is on no
    // disk, so it may hang for all that anybody loses.
    let shown = follower.finish(stop_by.max(Instant::now() + STOP_FOLLOWER)).await.unwrap_or_else(|| {
        tracing::error!("what is shown does not come to its end; leaving it");
        Ok(())
    });
    signals.abort();
    reloads.abort();
    done.and(failed).and(shown.map_err(anyhow::Error::from))
}

/// A thread of its own, and what it ends with.
struct Part<T> {
    thread: JoinHandle<T>,
    /// Closed when the thread has ended, however it did.
    ended: watch::Receiver<()>,
}

impl<T: Send + 'static> Part<T> {
    fn start(name: &str, run: impl FnOnce() -> T + Send + 'static) -> anyhow::Result<Part<T>> {
        let (alive, ended) = watch::channel(());
        let thread = thread::Builder::new().name(name.to_owned()).spawn(move || {
            let _alive = alive;
            run()
        })?;
        Ok(Part { thread, ended })
    }

    /// Waits for its end, now that nobody hands it anything any more; `None`: it does not
    /// come by then.
    async fn finish(mut self, by: Instant) -> Option<T> {
        // An error means closed, which is what is awaited.
        let ended = timeout_at(by, async { while self.ended.changed().await.is_ok() {} }).await;
        ended.ok()?;
        match self.thread.join() {
            Ok(result) => Some(result),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

/// The signals that end the server.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> anyhow::Result<Signals> {
        let listen = |kind| signal(kind).context("cannot listen for signals");
        Ok(Signals {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
        })
    }

    /// The first signal stops the server, the second ends it at once. So does
    /// the first as long as no station can have been told anything: an opening
    /// may take long, and can be broken off at any moment.
    async fn obey(mut self, stopping: CancellationToken, accepting: Arc<AtomicBool>) {
        let signal = self.next().await;
        tracing::info!(signal, "stopping");
        if !accepting.load(Ordering::SeqCst) {
            log::exit(0);
        }
        stopping.cancel();
        self.next().await;
        tracing::warn!("a second signal: ending at once");
        log::exit(1);
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// Has the plan of calling read again at each SIGHUP. If anything is wrong with the file,
/// what held goes on to hold; all but the plan holds from the next start.
async fn reload(plan: CurrentPlan, mut hang_ups: Signal) {
    while hang_ups.recv().await.is_some() {
        let plan = plan.clone();
        // The file may be on a disk that takes its time.
        match tokio::task::spawn_blocking(move || plan.reload()).await {
            Ok(Ok(plan)) => tracing::info!(
                contacts = plan.contacts.len(),
                rotas = plan.rotas.len(),
                "contacts and rotas were read again; all else of the file holds from the next start"
            ),
            Ok(Err(error)) => tracing::error!("nothing was changed by the reload: {error:#}"),
            Err(panic) => tracing::error!(%panic, "nothing was changed by the reload"),
        }
    }
}

/// Tells systemd how it stands, if it listens.
fn tell_supervisor(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(%error, "cannot tell the service manager how it stands");
    }
}
