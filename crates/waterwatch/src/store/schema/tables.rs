//! The tables that are ours to make, by the version that brought them.

/// The table of the contract, as it is made in a new database.
pub(super) const STATION_STATUS: &str = "CREATE TABLE station_status (
    station_id INTEGER PRIMARY KEY,
    last_date TEXT NOT NULL,
    alarm1 INTEGER NOT NULL,
    alarm2 INTEGER NOT NULL
)";

/// What is ours alone, as version 1 had it.
pub(super) const STATION_STATE: &str = "CREATE TABLE station_state (
    station_id INTEGER PRIMARY KEY,
    sequence INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    reports INTEGER NOT NULL
) STRICT";

/// What version 2 brought.
pub(super) const SINCE_VERSION_2: &str = "
ALTER TABLE station_state ADD COLUMN listener_id INTEGER NOT NULL DEFAULT 0;
ALTER TABLE station_state ADD COLUMN peer BLOB NOT NULL DEFAULT x'';
ALTER TABLE station_state ADD COLUMN span_sequence INTEGER NOT NULL DEFAULT 0;
ALTER TABLE station_state ADD COLUMN span_since INTEGER NOT NULL DEFAULT 0;
ALTER TABLE station_state ADD COLUMN span_reports INTEGER NOT NULL DEFAULT 0;
CREATE TABLE span (
    station_id INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    first_at INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    alarm1 INTEGER NOT NULL,
    alarm2 INTEGER NOT NULL,
    reports INTEGER NOT NULL,
    PRIMARY KEY (station_id, sequence)
) STRICT, WITHOUT ROWID;
CREATE TABLE journal (
    sequence INTEGER PRIMARY KEY,
    received_at INTEGER NOT NULL,
    entries BLOB NOT NULL
) STRICT;
CREATE TABLE listener (
    listener_id INTEGER PRIMARY KEY,
    address TEXT NOT NULL UNIQUE
) STRICT;
CREATE TABLE server (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
";

/// What version 3 brought.
pub(super) const SINCE_VERSION_3: &str = "
CREATE TABLE alarm_event (
    sequence INTEGER PRIMARY KEY,
    event_time INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    source ANY NOT NULL,
    point TEXT,
    occurrence INTEGER,
    kind TEXT NOT NULL,
    from_state TEXT,
    to_state TEXT,
    \"by\" TEXT,
    reason TEXT,
    until INTEGER,
    on_from INTEGER,
    on_to INTEGER,
    count INTEGER,
    listener_id INTEGER NOT NULL,
    peer BLOB NOT NULL,
    cause INTEGER
) STRICT;
CREATE TABLE alarm (
    source ANY NOT NULL,
    point TEXT NOT NULL,
    contact INTEGER NOT NULL,
    contact_since INTEGER NOT NULL,
    delay_due INTEGER,
    occurrence INTEGER,
    raised_at INTEGER,
    returned_at INTEGER,
    acknowledged_by TEXT,
    acknowledged_at INTEGER,
    realarm_due INTEGER,
    raises INTEGER,
    shelf_until INTEGER,
    shelf_by TEXT,
    shelf_reason TEXT,
    shelf_warned INTEGER,
    service_until INTEGER,
    service_by TEXT,
    service_reason TEXT,
    service_warned INTEGER,
    suppressed_by INTEGER,
    on_from INTEGER,
    on_to INTEGER,
    chatter_since INTEGER,
    chatter_raises INTEGER,
    chatter_due INTEGER,
    raised_lately BLOB,
    forget_due INTEGER,
    PRIMARY KEY (source, point)
) STRICT, WITHOUT ROWID;
CREATE TABLE station_settings (
    station_id INTEGER PRIMARY KEY,
    name TEXT,
    area TEXT,
    location TEXT,
    access_note TEXT,
    telephones TEXT,
    tags TEXT,
    period_s INTEGER,
    grace_s INTEGER
) STRICT;
CREATE TABLE area_settings (
    area TEXT PRIMARY KEY,
    period_s INTEGER,
    grace_s INTEGER
) STRICT, WITHOUT ROWID;
CREATE TABLE point_settings (
    scope ANY NOT NULL,
    point TEXT NOT NULL,
    enabled INTEGER,
    priority TEXT,
    on_delay_s INTEGER,
    off_delay_s INTEGER,
    latched INTEGER,
    realarm_after_s INTEGER,
    chatter_raises INTEGER,
    chatter_window_s INTEGER,
    label TEXT,
    consequence TEXT,
    response TEXT,
    respond_within_min INTEGER,
    PRIMARY KEY (scope, point)
) STRICT, WITHOUT ROWID;
";

/// What version 4 brought.
pub(super) const SINCE_VERSION_4: &str = "
ALTER TABLE alarm_event ADD COLUMN stations BLOB;
ALTER TABLE alarm ADD COLUMN hand_over_due INTEGER;
DROP INDEX IF EXISTS alarm_event_by_received_at;
CREATE TABLE silent_together (
    entry INTEGER PRIMARY KEY,
    occurrence INTEGER NOT NULL,
    silent_since INTEGER,
    stations BLOB NOT NULL
) STRICT;
ALTER TABLE station_settings ADD COLUMN expected_by INTEGER;
ALTER TABLE station_settings ADD COLUMN allow_from TEXT;
CREATE TABLE station_life (
    station_id INTEGER PRIMARY KEY,
    visit_since INTEGER,
    visit_until INTEGER,
    visit_by TEXT,
    visit_reason TEXT,
    retired_at INTEGER,
    retired_by TEXT,
    retired_reason TEXT
) STRICT;
CREATE TABLE contest (
    station_id INTEGER PRIMARY KEY,
    sign INTEGER,
    sign_at INTEGER,
    contradicts INTEGER NOT NULL,
    others BLOB NOT NULL,
    alarm1_on INTEGER,
    alarm1_on_at INTEGER,
    alarm2_on INTEGER,
    alarm2_on_at INTEGER,
    before INTEGER,
    before_at INTEGER,
    before_alarm1 INTEGER NOT NULL,
    before_alarm2 INTEGER NOT NULL,
    reversals INTEGER NOT NULL
) STRICT;
";

/// What version 5 brought.
pub(super) const SINCE_VERSION_5: &str = "
CREATE TABLE token (
    digest BLOB PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    role TEXT NOT NULL,
    may_acknowledge INTEGER NOT NULL,
    may_report INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    created_by TEXT,
    revoked_at INTEGER,
    revoked_by TEXT
) STRICT, WITHOUT ROWID;
UPDATE point_settings SET scope = 'configuration' WHERE scope = 'fleet';
CREATE TABLE fleet_settings (
    scope TEXT PRIMARY KEY CHECK (scope = 'fleet'),
    period_s INTEGER,
    grace_s INTEGER
) STRICT, WITHOUT ROWID;
";

/// Our indexes and triggers by their names: each start makes those again that
/// somebody dropped.
pub(super) const INDEXES_AND_TRIGGERS: [(&str, &str); 14] = [
    ("span_by_age", "CREATE INDEX span_by_age ON span (sequence)"),
    ("alarm_event_by_source", "CREATE INDEX alarm_event_by_source ON alarm_event (source, point, sequence)"),
    (
        "alarm_event_by_occurrence",
        "CREATE INDEX alarm_event_by_occurrence ON alarm_event (occurrence) WHERE occurrence IS NOT NULL",
    ),
    ("alarm_event_is_never_changed", NEVER_CHANGED),
    ("alarm_event_is_never_deleted", NEVER_DELETED),
    ("alarm_event_is_never_replaced", NEVER_REPLACED),
    (
        "station_settings_by_area",
        "CREATE INDEX station_settings_by_area ON station_settings (area) WHERE area IS NOT NULL",
    ),
    // Beside them, what is asked of the ledger by time and for the last raise.
    (
        "alarm_event_by_received_at",
        "CREATE INDEX alarm_event_by_received_at ON alarm_event (received_at, event_time)",
    ),
    (
        "alarm_event_raised",
        "CREATE INDEX alarm_event_raised ON alarm_event (source, point, sequence) WHERE kind = 'raised'",
    ),
    // What is told of one station may stand in an entry about many.
    (
        "alarm_event_of_many",
        "CREATE INDEX alarm_event_of_many ON alarm_event (sequence) WHERE stations IS NOT NULL",
    ),
    (
        "silent_together_by_occurrence",
        "CREATE INDEX silent_together_by_occurrence ON silent_together (occurrence)",
    ),
    // Whom an alarm stands for, beside those that share their facts.
    (
        "alarm_by_suppressor",
        "CREATE INDEX alarm_by_suppressor ON alarm (suppressed_by) WHERE suppressed_by IS NOT NULL",
    ),
    // Whether a point may be more urgent than others.
    (
        "point_settings_by_priority",
        "CREATE INDEX point_settings_by_priority ON point_settings (priority) WHERE priority IS NOT NULL",
    ),
    (
        "station_settings_by_name",
        "CREATE INDEX station_settings_by_name ON station_settings (name COLLATE NOCASE)
         WHERE name IS NOT NULL",
    ),
];

const NEVER_CHANGED: &str = "CREATE TRIGGER alarm_event_is_never_changed BEFORE UPDATE ON alarm_event BEGIN
    SELECT RAISE(ABORT, 'alarm_event is the ledger of alarms: its entries are never changed');
END";

const NEVER_DELETED: &str = "CREATE TRIGGER alarm_event_is_never_deleted BEFORE DELETE ON alarm_event BEGIN
    SELECT RAISE(ABORT, 'alarm_event is the ledger of alarms: its entries are never deleted');
END";

/// `INSERT OR REPLACE` deletes without asking the triggers of deletion.
const NEVER_REPLACED: &str = "CREATE TRIGGER alarm_event_is_never_replaced BEFORE INSERT ON alarm_event
WHEN EXISTS (SELECT 1 FROM alarm_event WHERE sequence = NEW.sequence) BEGIN
    SELECT RAISE(ABORT, 'alarm_event is the ledger of alarms: its entries are never replaced');
END";

/// The names of our tables beside the contract's.
pub(super) const OURS: [&str; 15] = [
    "station_state",
    "span",
    "journal",
    "alarm_event",
    "alarm",
    "silent_together",
    "station_life",
    "contest",
    "station_settings",
    "area_settings",
    "fleet_settings",
    "point_settings",
    "token",
    "listener",
    "server",
];
