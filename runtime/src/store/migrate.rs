//! Formats of the database: from an older one to the current, after a copy; a newer one is refused.
//!
//! Comes in: an open database. Goes out: the same in the current format. It never changes a database without a copy
//! beside it, and never touches one that taskbot did not write.

use std::path::Path;

use rusqlite::Connection;

use super::StoreError;

/// Marks the file as taskbot's: "TBOT".
const APPLICATION_ID: i64 = 0x5442_4f54;

/// What brings format n to format n + 1.
pub const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001.sql"),
    include_str!("migrations/0002.sql"),
    include_str!("migrations/0003.sql"),
    include_str!("migrations/0004.sql"),
];

pub fn migrate(connection: &Connection, path: &Path, migrations: &[&str]) -> Result<(), StoreError> {
    let known = i64::try_from(migrations.len()).unwrap_or(i64::MAX);
    let found = pragma(connection, "user_version")?;
    let application = pragma(connection, "application_id")?;
    if application != APPLICATION_ID {
        let tables: i64 = connection
            .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
            .map_err(StoreError::database("reading its format"))?;
        if application != 0 || tables != 0 {
            return Err(StoreError::Foreign { path: path.to_owned() });
        }
    }
    if found > known {
        return Err(StoreError::Newer { found, known });
    }
    if found > 0 && found < known {
        copy(connection, path, found)?;
    }
    for (format, sql) in (1_i64..).zip(migrations).filter(|(format, _)| *format > found) {
        one_format(connection, sql, format).map_err(StoreError::database("migrating to a newer format"))?;
    }
    Ok(())
}

/// All of a migration or nothing.
fn one_format(connection: &Connection, sql: &str, format: i64) -> rusqlite::Result<()> {
    let transaction = connection.unchecked_transaction()?;
    transaction.execute_batch(sql)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", format)?;
    transaction.commit()
}

fn pragma(connection: &Connection, name: &str) -> Result<i64, StoreError> {
    connection
        .query_row(&format!("PRAGMA {name}"), [], |row| row.get(0))
        .map_err(StoreError::database("reading its format"))
}

/// A complete copy beside the database; one of an earlier, failed migration is replaced.
fn copy(connection: &Connection, path: &Path, format: i64) -> Result<(), StoreError> {
    let copy = path.with_extension(format!("format-{format}.db"));
    let failed = |cause: String| StoreError::machine("copying itself before a migration", cause);
    if copy.exists() {
        std::fs::remove_file(&copy).map_err(|e| failed(e.to_string()))?;
    }
    let name = copy.to_str().ok_or_else(|| failed("its path is not UTF-8".into()))?;
    connection.execute("VACUUM INTO ?1", [name]).map_err(|e| failed(e.to_string()))?;
    tracing::info!(copy = %copy.display(), "the store is migrated, a copy of the old one is kept");
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;

    const NEXT: &[&str] = &["CREATE TABLE a (x); INSERT INTO a VALUES (7)", "ALTER TABLE a ADD COLUMN y"];

    #[test]
    fn an_older_format_is_copied_then_migrated() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("taskbot.db");
        let connection = Connection::open(&path).unwrap();
        migrate(&connection, &path, &NEXT[..1]).unwrap();
        assert!(!dir.path().join("taskbot.format-1.db").exists(), "nothing to copy yet");
        migrate(&connection, &path, NEXT).unwrap();
        assert_eq!(
            connection.query_row("SELECT x FROM a WHERE y IS NULL", [], |r| r.get::<_, i64>(0)),
            Ok(7)
        );
        let copy = Connection::open(dir.path().join("taskbot.format-1.db")).unwrap();
        assert_eq!(pragma(&copy, "user_version").unwrap(), 1);
        assert_eq!(copy.query_row("SELECT x FROM a", [], |r| r.get::<_, i64>(0)), Ok(7));
        migrate(&connection, &path, NEXT).unwrap();
    }

    #[test]
    fn open_runs_of_format_2_keep_their_place_in_the_queue() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("taskbot.db");
        let connection = Connection::open(&path).unwrap();
        migrate(&connection, &path, &MIGRATIONS[..2]).unwrap();
        let run = "INSERT INTO runs (instance, run_key, task, repository, arguments, state, retries, not_before, created_at,
                       changed_at) VALUES ('message:m', 'look()', 'look', 'standard:look', '[]', 'queued', 2, 9, 7, 8)";
        connection.execute(run, []).unwrap();
        migrate(&connection, &path, MIGRATIONS).unwrap();
        let row = connection.query_row("SELECT rank, timeout_ms FROM runs", [], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, Option<i64>>(1)?))
        });
        assert_eq!(row, Ok((7, None)));
    }

    #[test]
    fn a_newer_format_is_refused_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("taskbot.db");
        let connection = Connection::open(&path).unwrap();
        migrate(&connection, &path, NEXT).unwrap();
        let refused = migrate(&connection, &path, &NEXT[..1]);
        assert!(matches!(refused, Err(StoreError::Newer { found: 2, known: 1 })), "{refused:?}");
    }

    #[test]
    fn a_failed_migration_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("taskbot.db");
        let connection = Connection::open(&path).unwrap();
        migrate(&connection, &path, &NEXT[..1]).unwrap();
        let broken = ["", "ALTER TABLE a ADD COLUMN z; INSERT INTO nowhere VALUES (1)"];
        assert!(migrate(&connection, &path, &broken).is_err());
        drop(connection);
        let connection = Connection::open(&path).unwrap();
        assert_eq!(pragma(&connection, "user_version").unwrap(), 1);
        assert!(connection.prepare("SELECT z FROM a").is_err());
    }

    #[test]
    fn another_programs_database_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("taskbot.db");
        let connection = Connection::open(&path).unwrap();
        connection.execute_batch("CREATE TABLE theirs (x)").unwrap();
        assert!(matches!(migrate(&connection, &path, NEXT), Err(StoreError::Foreign { .. })));
    }
}
