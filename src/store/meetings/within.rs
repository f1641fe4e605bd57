//! A token's scope as a condition of SQL: what is outside of it is not read, so neither a page nor
//! its end tells of it.

use crate::domain::{Platform, Scope};
use rusqlite::ToSql;

/// Whether a meeting `m` is within a scope.
macro_rules! within {
    () => {
        "(:scope_platforms IS NULL OR instr(:scope_platforms, ',' || m.platform || ','))
         AND (:scope_platform IS NULL OR (m.platform = :scope_platform AND m.native_meeting_id = :scope_id))"
    };
}

pub(crate) use within;

/// The values of [`within`].
pub(crate) struct Within {
    /// The platforms between commas; `None` is no limit.
    platforms: Option<String>,
    platform: Option<Platform>,
    native_meeting_id: Option<String>,
}

impl Within {
    /// Of a scope.
    pub(crate) fn of(scope: &Scope) -> Self {
        let mut platforms = None;
        for platform in &scope.platforms {
            let list = platforms.get_or_insert_with(|| ",".to_owned());
            list.push_str(platform.as_str());
            list.push(',');
        }
        let meeting = scope.meeting.as_ref();
        Self {
            platforms,
            platform: meeting.map(|meeting| meeting.platform),
            native_meeting_id: meeting.map(|meeting| meeting.native_meeting_id.clone()),
        }
    }

    /// As a statement takes them.
    pub(crate) fn values(&self) -> [(&str, &dyn ToSql); 3] {
        [
            (":scope_platforms", &self.platforms),
            (":scope_platform", &self.platform),
            (":scope_id", &self.native_meeting_id),
        ]
    }
}
