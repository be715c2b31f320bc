//! What holds for stations, each combination once, and the areas by their names.

use std::collections::HashMap;

use waterwatch_core::StationSettings;
use waterwatch_core::alarm::Point;

/// What holds for a station, and the area that it is in. Its own `area` is of no
/// use here: what is in an area changes while the server runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Class {
    pub(super) holds: StationSettings,
    pub(super) area: Option<u32>,
}

/// What of it is asked for of each station that is looked at: small, since there may
/// be thousands of them, and a million stations that are looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Brief {
    pub(super) period_ms: i64,
    pub(super) area: Option<u32>,
    /// Whether its first and its second contact are judged.
    pub(super) is_judged: [bool; 2],
}

impl Class {
    fn brief(&self) -> Brief {
        Brief {
            period_ms: self.holds.period_ms,
            area: self.area,
            is_judged: [Point::Alarm1, Point::Alarm2].map(|point| self.holds.point(point).enabled),
        }
    }
}

/// All of them that a station has; the first is that of the fleet.
#[derive(Debug)]
pub(super) struct Classes {
    classes: Vec<Class>,
    briefs: Vec<Brief>,
    /// How many stations have each; the fleet's stays anyway.
    uses: Vec<u32>,
    numbers: HashMap<Class, u32>,
    unused: Vec<u32>,
    areas: HashMap<Box<str>, u32>,
}

impl Classes {
    /// The number of what holds for the fleet.
    pub(super) const FLEET: u32 = 0;

    pub(super) fn new(fleet: StationSettings) -> Classes {
        let fleet = Class { holds: fleet.in_area(None), area: None };
        Classes {
            classes: vec![fleet],
            briefs: vec![fleet.brief()],
            uses: vec![1],
            numbers: HashMap::from([(fleet, Classes::FLEET)]),
            unused: Vec::new(),
            areas: HashMap::new(),
        }
    }

    pub(super) fn get(&self, number: u32) -> &Class {
        &self.classes[number as usize]
    }

    pub(super) fn brief(&self, number: u32) -> &Brief {
        &self.briefs[number as usize]
    }

    /// One more station has the one with this number.
    pub(super) fn take_again(&mut self, number: u32) -> u32 {
        self.uses[number as usize] += 1;
        number
    }

    /// One more station has this one.
    pub(super) fn take(&mut self, holds: StationSettings, area: Option<&str>) -> u32 {
        let area = area.map(|name| self.area(name));
        let class = Class { holds: holds.in_area(None), area };
        let number = match self.numbers.get(&class) {
            Some(&number) => number,
            None => {
                let number = match self.unused.pop() {
                    Some(number) => number,
                    None => {
                        self.classes.push(class);
                        self.briefs.push(class.brief());
                        self.uses.push(0);
                        u32::try_from(self.classes.len() - 1).expect("not more than there are stations")
                    }
                };
                self.classes[number as usize] = class;
                self.briefs[number as usize] = class.brief();
                self.numbers.insert(class, number);
                number
            }
        };
        self.take_again(number)
    }

    /// One station less has this one.
    pub(super) fn leave(&mut self, number: u32) {
        if number == Classes::FLEET {
            return;
        }
        let uses = &mut self.uses[number as usize];
        *uses -= 1;
        if *uses == 0 {
            self.numbers.remove(&self.classes[number as usize]);
            self.unused.push(number);
        }
    }

    /// The number of an area that somebody has named.
    pub(super) fn area_named(&self, name: &str) -> Option<u32> {
        self.areas.get(name).copied()
    }

    /// The number of an area. Names that nobody uses any more stay until the whole
    /// is published again: they are as few as people write.
    pub(super) fn area(&mut self, name: &str) -> u32 {
        if let Some(number) = self.area_named(name) {
            return number;
        }
        let number = u32::try_from(self.areas.len()).expect("not more than there are stations");
        self.areas.insert(name.into(), number);
        number
    }
}
