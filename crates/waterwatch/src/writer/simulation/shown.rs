//! What the server shows to whoever looks, which must be what it has recorded.

use std::collections::HashMap;

use waterwatch_core::alarm::{Alarm, State};

use super::disk::Disk;
use crate::live::{AlarmQuery, Follower, Live, PAGE_MAX, StationQuery};
use crate::store::{AlarmKey, Store};

/// The follower, which has no thread here, and those who look.
pub(super) struct Shown {
    pub(super) follower: Follower,
    pub(super) live: Live,
}

impl Shown {
    /// Nothing is missing from what is shown, and nothing is shown that is not so.
    pub(super) fn agrees(&self, disk: &Disk) {
        self.follower.catch_up();
        let view = self.live.look().expect("the whole was published at the start");
        let page = view.alarms(&AlarmQuery { limit: PAGE_MAX, ..AlarmQuery::default() });
        assert!(page.next.is_none(), "a small fleet");
        let shown: HashMap<AlarmKey, Alarm> =
            page.alarms.into_iter().map(|row| (row.key, (*row.alarm).clone())).collect();
        let is_open =
            |alarm: &Alarm| alarm.state() != State::Normal || alarm.contact || alarm.delay_due_ms.is_some();
        let recorded = disk.alarms().iter().filter(|(_, alarm)| is_open(alarm));
        let recorded: HashMap<AlarmKey, Alarm> =
            recorded.map(|(key, alarm)| (key, (**alarm).clone())).collect();
        assert_eq!(shown, recorded);
        let page = view.stations(&StationQuery { limit: PAGE_MAX, ..StationQuery::default() }, 0);
        let heard = page.stations.iter().filter(|station| station.heard.is_some()).count();
        assert_eq!(heard, disk.station_count());
        for station in page.stations {
            let said = disk.find(station.id).map(|(_, station)| (station.alarm1, station.alarm2));
            assert_eq!(station.heard.map(|heard| (heard.alarm1, heard.alarm2)), said);
            assert_eq!(view.life(station.id), disk.lives().get(station.id));
        }
        assert!(*self.live.last_recorded().borrow() <= disk.sequence());
    }
}
