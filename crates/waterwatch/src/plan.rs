//! The plan of calling as it holds now: the configuration file says it, and it is read
//! again without a restart.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use anyhow::bail;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use waterwatch_core::calling::Plan;

use crate::config::{Config, check};

/// What holds now, for whoever needs it; cheap to copy.
#[derive(Clone, Debug)]
pub struct CurrentPlan(Arc<Held>);

#[derive(Debug)]
struct Held {
    plan: RwLock<Arc<Plan>>,
    /// Where it is read again; `None`: there is no file.
    file: Option<PathBuf>,
    /// What holds where nobody says another zone: also after a reload that of the start,
    /// as it is that of `last_date`.
    zone: TimeZone,
}

impl CurrentPlan {
    /// This one, and no file.
    #[must_use]
    pub fn fixed(plan: Plan) -> CurrentPlan {
        CurrentPlan(Arc::new(Held { plan: RwLock::new(Arc::new(plan)), file: None, zone: TimeZone::UTC }))
    }

    /// What the server was started with.
    #[must_use]
    pub fn of(config: &Config) -> CurrentPlan {
        let plan = RwLock::new(Arc::new(config.plan.clone()));
        CurrentPlan(Arc::new(Held { plan, file: config.file.clone(), zone: config.time_zone.clone() }))
    }

    /// What holds now.
    #[must_use]
    pub fn get(&self) -> Arc<Plan> {
        Arc::clone(&self.0.plan.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the file again. If anything is wrong with it, nothing changes.
    ///
    /// # Errors
    /// If there is no file, or it cannot be read, or all that is wrong with it.
    pub fn reload(&self) -> anyhow::Result<Arc<Plan>> {
        let Some(file) = &self.0.file else { bail!("there is no configuration file (--config)") };
        let told = check::check(file, Timestamp::now())?;
        if !check::is_taken(&told) {
            bail!(told);
        }
        self.replace(check::plan_of(file, &self.0.zone)?);
        Ok(self.get())
    }

    /// This one holds from now on.
    pub fn replace(&self, plan: Plan) {
        *self.0.plan.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(plan);
    }
}

/// Nobody has duty in anything.
impl Default for CurrentPlan {
    fn default() -> CurrentPlan {
        CurrentPlan::fixed(Plan::default())
    }
}
