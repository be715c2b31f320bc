//! Stations whose id or name begins like this: a page of them, however many there are.

use waterwatch_core::StationId;

use super::{Page, look};
use crate::live::{StationQuery, Within};
use crate::web::api::read;
use crate::web::problem::Problem;
use crate::web::{Deadline, Web};

/// Stations that are looked for all at once, at most: of more, a page alone is.
const FEW_MAX: usize = 10_000;

/// What is looked for, and how long it may be.
const CHARS_MAX: usize = 100;

/// Stations whose names fit that are read at once, at most, where few of them are also
/// what else is asked for.
const READ_MAX: usize = 10_000;

/// What stations are asked for by.
struct Called {
    begin: String,
    /// The same, if it may be the beginning of an id.
    digits: Option<Box<str>>,
}

impl Called {
    fn within(&self, ids: Vec<StationId>) -> Option<Within> {
        Some(Within { id_prefix: self.digits.clone(), ids })
    }
}

/// A page of those that are called like this, and are what else is asked for.
pub(super) async fn page(
    web: &Web,
    deadline: Deadline,
    query: StationQuery,
    called: &str,
) -> Result<Page, Problem> {
    let begin = called.trim().to_owned();
    if begin.is_empty() || begin.chars().count() > CHARS_MAX {
        return Err(Problem::unfit("q", format!("it must have 1 to {CHARS_MAX} characters")));
    }
    let digits = begin.bytes().all(|byte| byte.is_ascii_digit()).then(|| begin.as_str().into());
    let called = Called { begin, digits };
    let begin = called.begin.clone();
    let named = read(web, deadline, move |reader| reader.stations_named(&begin, FEW_MAX + 1)).await?;
    if named.len() > FEW_MAX {
        return page_of_many(web, deadline, query, &called).await;
    }
    look(web, deadline, StationQuery { within: called.within(named), ..query }).await
}

/// Goes through them in the order of their ids, as far as it takes: what is asked for
/// besides may be rare among them. Each step goes on behind the one before, and all of
/// them end with the time of the request.
async fn page_of_many(
    web: &Web,
    deadline: Deadline,
    query: StationQuery,
    called: &Called,
) -> Result<Page, Problem> {
    let mut page = Page::default();
    let (mut after, mut wanted) = (query.after, query.limit + 1);
    loop {
        let (begin, from) = (called.begin.clone(), after);
        let named =
            read(web, deadline, move |reader| reader.stations_named_after(&begin, from, wanted)).await?;
        // Behind the last of them there may be others that are not read yet.
        let known_to = named.last().copied().filter(|_| named.len() == wanted);
        let limit = query.limit - page.stations.len();
        let step = StationQuery { within: called.within(named), after, limit, ..query.clone() };
        let Page { mut stations, mut has_more } = look(web, deadline, step).await?;
        if let Some(end) = known_to {
            stations.retain(|station| station.station_id <= end.get());
            has_more = true;
        }
        page.stations.append(&mut stations);
        page.has_more = has_more;
        match known_to {
            Some(end) if page.stations.len() < query.limit => after = Some(end),
            _ => return Ok(page),
        }
        wanted = (wanted * 4).min(READ_MAX);
    }
}
