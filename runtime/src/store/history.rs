//! What was decided and how long things took: for `explain --run` and for estimates.
//!
//! Comes in: questions of people about what is over. Goes out: plain data. It opens nothing and changes nothing; like `read` it
//! looks through a `Reader`.

use std::collections::BTreeMap;
use std::time::Duration;

use rusqlite::OptionalExtension;

use super::read::Reader;
use super::{StoreError, parse};
use crate::admission::RecordedFact;
use crate::effect::Timestamp;

/// What one rule set decided about a message.
#[derive(Clone, Debug)]
pub struct StoredDecision {
    /// Hash of the rule set.
    pub generation: String,
    /// The rule set's bytes; none: they are not kept.
    pub artifact: Option<Vec<u8>>,
    /// When it was judged last: a fact that came later is a reason to judge again.
    pub judged_at: Timestamp,
    /// The facts that were known then.
    pub facts: Vec<RecordedFact>,
}

/// How long the runs of a task took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskTimes {
    /// Number of finished runs.
    pub runs: usize,
    /// Median of the time that the steps of their last attempt took, waiting left out.
    pub median: Duration,
}

impl Reader {
    /// What the rule sets decided about a message, the latest last.
    pub fn decisions(&self, message_id: &str) -> Result<Vec<StoredDecision>, StoreError> {
        self.read("reading decisions", |c| {
            c.prepare(
                "SELECT d.generation, g.artifact, d.judged_at, d.facts FROM decisions d
                 JOIN messages m ON m.id = d.message LEFT JOIN generations g ON g.hash = d.generation
                 WHERE m.message_id = ?1 ORDER BY d.id",
            )?
            .query_map([message_id], |row| {
                Ok(StoredDecision {
                    generation: row.get(0)?,
                    artifact: row.get(1)?,
                    judged_at: row.get(2).map(Timestamp::from_millis)?,
                    facts: parse(&row.get::<_, String>(3)?)?,
                })
            })?
            .collect()
        })
    }

    /// The message that made a happening's instance of a run first; none: the run belongs to one message alone.
    pub fn first_of_happening(&self, instance: &str) -> Result<Option<(String, String)>, StoreError> {
        let Some(id) = instance.strip_prefix("happening:").and_then(|id| id.parse::<i64>().ok()) else {
            return Ok(None);
        };
        self.read("reading a happening", |c| {
            c.query_row(
                "SELECT h.key, m.message_id FROM happenings h JOIN messages m ON m.id = h.first_message
                 WHERE h.id = ?1",
                [id],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .optional()
        })
    }

    /// How long the finished runs of each task took.
    pub fn task_times(&self) -> Result<BTreeMap<String, TaskTimes>, StoreError> {
        self.read("reading how long tasks take", |c| {
            let mut times: BTreeMap<String, Vec<u64>> = BTreeMap::new();
            let mut statement = c.prepare(
                "SELECT r.task, sum(s.ended_at - s.started_at) FROM runs r JOIN steps s
                 ON s.run = r.id AND s.attempt = r.attempt AND s.ended_at IS NOT NULL
                 WHERE r.state = 'finished' GROUP BY r.id",
            )?;
            let rows =
                statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)))?;
            for row in rows {
                let (task, millis) = row?;
                times.entry(task).or_default().push(u64::try_from(millis).unwrap_or(0));
            }
            let medians = times.into_iter().map(|(task, mut millis)| {
                millis.sort_unstable();
                let median = millis.get(millis.len() / 2).copied().unwrap_or(0);
                (task, TaskTimes { runs: millis.len(), median: Duration::from_millis(median) })
            });
            Ok(medians.collect())
        })
    }
}
