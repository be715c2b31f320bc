//! How a report travels to a server and how it is acknowledged: the line
//! protocol of waterwatch, and what others speak. Each needs few bytes, which
//! are written here and nowhere else.

pub(crate) mod mqtt;
pub(crate) mod replies;
pub(crate) mod resp;

use self::replies::Replies;

/// Bytes that one read of replies takes.
pub(crate) const READ_BYTES: usize = 64 * 1_024;

/// A protocol that carries reports. All reports of stations whose ids have
/// equally many digits are equally long in each of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Protocol {
    /// `ID A1 A2`, a line each, answered by `OK`
    #[default]
    Lines,
    /// MQTT 3.1.1: PUBLISH with QoS 1, answered by PUBACK
    Mqtt,
    /// Redis: SET, answered by +OK
    Resp,
}

impl Protocol {
    /// The report of a station whose alarms are both off. `packet` is the
    /// identifier that MQTT gives each message in flight.
    pub(crate) fn report(self, station: u64, packet: u16) -> Vec<u8> {
        match self {
            Protocol::Lines => format!("{station} 0 0\n").into_bytes(),
            Protocol::Mqtt => {
                mqtt::publish(&format!("s/{station}"), packet, format!("{station} 0 0").as_bytes())
            }
            Protocol::Resp => resp::set(&station.to_string(), "0 0"),
        }
    }

    /// Where the first alarm's digit is in a report, counted from its end.
    pub(crate) fn alarm1_from_end(self) -> usize {
        match self {
            Protocol::Lines => "0 0\n".len(),
            Protocol::Mqtt => "0 0".len(),
            Protocol::Resp => "0 0\r\n".len(),
        }
    }

    /// What a new connection says before its first report, and what it must
    /// hear then; both empty where nothing is said.
    pub(crate) fn hello(self, place: u32) -> (Vec<u8>, &'static [u8]) {
        match self {
            Protocol::Lines | Protocol::Resp => (Vec::new(), &[]),
            Protocol::Mqtt => (mqtt::connect(&format!("load-{place}")), mqtt::CONNACK_ACCEPTED),
        }
    }

    /// Reports a connection may have lying ready: as many as MQTT can tell
    /// apart.
    pub(crate) fn ring_reports_max(self) -> usize {
        match self {
            Protocol::Lines | Protocol::Resp => usize::MAX,
            Protocol::Mqtt => usize::from(u16::MAX),
        }
    }

    /// Reads the replies to reports whose packet identifiers run from 1 to
    /// `packets` and begin again.
    pub(crate) fn replies(self, packets: usize) -> Replies {
        match self {
            Protocol::Lines => Replies::lines(),
            Protocol::Mqtt => Replies::pubacks(packets),
            Protocol::Resp => Replies::resp(),
        }
    }
}
