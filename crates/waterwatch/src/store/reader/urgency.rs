//! How urgent an alarm is that speaks for others.

use waterwatch_core::Settings;
use waterwatch_core::alarm::{Alarm, AlarmSource, Point, Priority};

use super::KnownAlarm;

/// The points of a source that have an open occurrence; the alarms are in order.
pub fn open_points<'a>(
    alarms: &'a [KnownAlarm],
    source: &AlarmSource,
) -> impl Iterator<Item = Point> + use<'a> {
    let from = alarms.partition_point(|(key, _)| key.0 < *source);
    let to = from + alarms[from..].partition_point(|(key, _)| key.0 == *source);
    let open = alarms[from..to].iter().filter(|(_, alarm)| alarm.occurrence.is_some());
    open.map(|((_, point), _)| *point)
}

/// How urgent an alarm is: a station's silence as the alarms that are open there,
/// and one that stands for the silence of stations as the most urgent of them.
/// The alarms are in order.
#[must_use]
pub fn priority(
    (source, point): (&AlarmSource, Point),
    alarm: &Alarm,
    alarms: &[KnownAlarm],
    settings: &Settings,
) -> Priority {
    let own = settings.of_source(source).priority(point, open_points(alarms, source));
    let Some(open) = alarm.occurrence.as_ref().filter(|_| !matches!(source, AlarmSource::Station(_))) else {
        return own;
    };
    let members = alarms.iter().filter(|(_, member)| member.hidden.suppressed_by == Some(open.sequence));
    let of_member = |(key, _): &KnownAlarm| match key.0 {
        AlarmSource::Station(id) => Some(settings.of(id).priority(key.1, open_points(alarms, &key.0))),
        AlarmSource::Area(_) | AlarmSource::Server => None,
    };
    members.filter_map(of_member).fold(own, Priority::max)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use waterwatch_core::StationId;
    use waterwatch_core::alarm::Occurrence;
    use waterwatch_core::settings::{PointOverrides, StationOverrides};

    use super::*;

    #[test]
    fn an_area_is_as_urgent_as_the_most_urgent_of_those_it_stands_for() {
        let id = |number| StationId::new(number).unwrap();
        let of = |number| AlarmSource::Station(id(number));
        let raised = |sequence| Alarm {
            contact: true,
            occurrence: Some(Occurrence {
                sequence,
                raised_at_ms: 0,
                returned_at_ms: None,
                acknowledged: None,
                realarm_due_ms: None,
                hand_over_due_ms: None,
                raises: 1,
            }),
            ..Alarm::default()
        };
        let mut points = [PointOverrides::default(); Point::ALL.len()];
        points[Point::Alarm2 as usize].priority = Some(Priority::Critical);
        let critical = StationOverrides { points, ..StationOverrides::default() };
        let mut settings = Settings::default();
        settings.say(id(2), critical, None);
        settings.say(id(3), critical, None);
        let north = (AlarmSource::Area("North".into()), Point::Comms);
        let silent = |number| ((of(number), Point::Comms), Arc::new(Alarm::silent_together(7, 0)));
        let mut alarms: Vec<KnownAlarm> = vec![
            silent(1),
            silent(2),
            ((of(3), Point::Alarm2), Arc::new(raised(9))),
            (north.clone(), Arc::new(raised(7))),
        ];
        let how = |alarms: &[KnownAlarm]| priority((&north.0, north.1), &raised(7), alarms, &settings);
        assert_eq!(how(&alarms), Priority::High, "nothing is open at those it stands for");
        alarms.insert(1, ((of(2), Point::Alarm2), Arc::new(raised(8))));
        alarms.sort_by(|(one, _), (other, _)| one.cmp(other));
        assert_eq!(how(&alarms), Priority::Critical);
        assert_eq!(priority((&of(2), Point::Comms), &raised(1), &alarms, &settings), Priority::Critical);
        assert_eq!(priority((&of(1), Point::Comms), &raised(1), &alarms, &settings), Priority::High);
    }
}
