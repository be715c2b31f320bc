//! The rows of tokens, both ways. What is read is checked: a database may come from
//! anywhere.

use anyhow::{Context, anyhow, bail, ensure};
use rusqlite::{Connection, Row, Transaction, params};
use waterwatch_core::Token;
use waterwatch_core::token::{Digest, Revoked, Rights, Role};

use super::schema::COUNT_MAX;

const COLUMNS: &str = "digest, name, role, may_acknowledge, may_report, created_at, created_by, \
    revoked_at, revoked_by";

/// All of them, in the order of their names.
///
/// # Errors
/// If a row cannot be read, or holds what no server writes.
pub fn read(connection: &Connection) -> anyhow::Result<Vec<(Digest, Token)>> {
    let mut statement = connection.prepare(&format!("SELECT {COLUMNS} FROM token ORDER BY name"))?;
    let mut rows = statement.query([])?;
    let mut tokens = Vec::new();
    while let Some(row) = rows.next()? {
        let name: String = row.get(1)?;
        let read = token(row, &name);
        tokens.push(read.with_context(|| {
            format!("in token, the row of the name \"{}\" cannot be read", name.escape_debug())
        })?);
    }
    Ok(tokens)
}

fn token(row: &Row<'_>, name: &str) -> anyhow::Result<(Digest, Token)> {
    let time = |place: usize| -> anyhow::Result<Option<i64>> {
        let time_ms: Option<i64> = row.get(place)?;
        ensure!(time_ms.is_none_or(|ms| ms.abs() <= COUNT_MAX), "it has a time that no server wrote");
        Ok(time_ms)
    };
    let flag = |place: usize| match row.get(place)? {
        0 => Ok(false),
        1 => Ok(true),
        other => Err(anyhow!("a right is 0 or 1, and not {other}")),
    };
    let digest: [u8; 32] = row.get(0).context("a digest has 32 bytes")?;
    let role: String = row.get(2)?;
    let role = Role::from_name(&role)
        .with_context(|| format!("\"{}\" is no role of this version", role.escape_debug()))?;
    let rights = Rights { acknowledge: flag(3)?, report: flag(4)? };
    let created_at_ms = time(5)?.context("it has no time at which it was made")?;
    let created_by: Option<String> = row.get(6)?;
    let token = Token::new(name, role, rights, created_at_ms, created_by.as_deref())?;
    ensure!(*token.name == *name, "blanks stand around its name");
    let revoked = match (time(7)?, row.get(8)?) {
        (Some(at_ms), Some(by)) => Some(Revoked { at_ms, by }),
        (None, None) => None,
        _ => bail!("whoever revoked it did so at a time and by name"),
    };
    Ok((Digest(digest), Token { revoked, ..token }))
}

/// Writes those that a batch added or revoked; nothing is prepared for nothing.
pub(super) fn write(transaction: &Transaction<'_>, tokens: &[(Digest, Token)]) -> rusqlite::Result<()> {
    if tokens.is_empty() {
        return Ok(());
    }
    // Of one that is there nothing changes but that it is revoked: no other token
    // comes in its place.
    let mut upsert = transaction.prepare_cached(&format!(
        "INSERT INTO token ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         ON CONFLICT (digest) DO UPDATE SET revoked_at = excluded.revoked_at, revoked_by = excluded.revoked_by"
    ))?;
    for (digest, token) in tokens {
        let Token { name, role, rights, created_at_ms, created_by, revoked } = token;
        upsert.execute(params![
            digest.0,
            name,
            role.name(),
            rights.acknowledge,
            rights.report,
            created_at_ms,
            created_by,
            revoked.as_ref().map(|revoked| revoked.at_ms),
            revoked.as_ref().map(|revoked| &revoked.by),
        ])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::schema;

    fn database() -> Connection {
        let mut connection = Connection::open_in_memory().unwrap();
        schema::create(&mut connection).unwrap();
        connection
    }

    fn written(connection: &mut Connection, tokens: &[(Digest, Token)]) {
        let transaction = connection.transaction().unwrap();
        write(&transaction, tokens).unwrap();
        transaction.commit().unwrap();
    }

    #[test]
    fn what_is_written_is_read() {
        let mut connection = database();
        let machine = Rights { report: true, ..Rights::default() };
        let a = (Digest([7; 32]), Token::new("a", Role::Viewer, machine, 5, Some("user root")).unwrap());
        let mut b = (Digest([3; 32]), Token::new("b", Role::Admin, Rights::ALL, 6, None).unwrap());
        written(&mut connection, &[b.clone(), a.clone()]);
        assert_eq!(read(&connection).unwrap(), [a.clone(), b.clone()]);
        b.1.revoked = Some(Revoked { at_ms: 9, by: "a".into() });
        written(&mut connection, std::slice::from_ref(&b));
        assert_eq!(read(&connection).unwrap(), [a, b]);
    }

    #[test]
    fn what_no_server_writes_is_refused() {
        let connection = database();
        for (row, why) in [
            ("x'00', 'a', 'viewer', 0, 0, 1, NULL, NULL, NULL", "a digest has 32 bytes"),
            ("zeroblob(32), 'a', 'root', 0, 0, 1, NULL, NULL, NULL", "\"root\" is no role"),
            ("zeroblob(32), 'a', 'viewer', 0, 2, 1, NULL, NULL, NULL", "a right is 0 or 1"),
            (
                "zeroblob(32), 'a', 'viewer', 1, 0, 1, NULL, NULL, NULL",
                "a viewer cannot have the right acknowledge",
            ),
            ("zeroblob(32), 'a\t', 'viewer', 0, 0, 1, NULL, NULL, NULL", "blanks stand around its name"),
            ("zeroblob(32), '', 'viewer', 0, 0, 1, NULL, NULL, NULL", "the name of a token is missing"),
            ("zeroblob(32), 'a', 'viewer', 0, 0, 9223372036854775807, NULL, NULL, NULL", "no server wrote"),
            ("zeroblob(32), 'a', 'viewer', 0, 0, 1, NULL, 2, NULL", "at a time and by name"),
        ] {
            connection.execute(&format!("INSERT INTO token VALUES ({row})"), []).unwrap();
            let error = format!("{:#}", read(&connection).unwrap_err());
            assert!(error.contains(why) && error.contains("in token, the row of the name"), "{error}");
            connection.execute("DELETE FROM token", []).unwrap();
        }
    }
}
