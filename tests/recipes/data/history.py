"""Keep the history of everybody's availability in SQLite, until Ctrl-C."""

import asyncio
import logging
import sqlite3
import sys
from contextlib import closing

from aiopresence import Availability, PresenceChange, PresenceError, PresenceSession, to_json

SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
CREATE TABLE IF NOT EXISTS changes (time TEXT, id TEXT, availability TEXT, presence TEXT);
CREATE INDEX IF NOT EXISTS changes_by_id ON changes (id, time);
"""
Row = tuple[str, str, str, str | None]


def row(change: PresenceChange) -> Row | None:
    """Return the row of a change; None if the availability is as before."""
    new = change.new.availability if change.new else Availability.UNKNOWN
    if change.old and change.old.availability is new:
        return None
    presence = to_json(change.new) if change.new else None
    return change.time.isoformat(), change.id, new.value, presence


def insert(database: sqlite3.Connection, added: Row) -> None:
    with database:  # a transaction
        database.execute("INSERT INTO changes VALUES (?, ?, ?, ?)", added)


async def record(session: PresenceSession, database: sqlite3.Connection) -> None:
    async with session.board() as board:
        async for change in board.changes():
            if (added := row(change)) is not None:
                # SQLite waits for the disk: in a thread, the event loop does not.
                await asyncio.to_thread(insert, database, added)


async def main(path: str) -> None:
    with closing(sqlite3.connect(path, check_same_thread=False)) as database:
        database.executescript(SCHEMA)
        async with PresenceSession.from_env() as session:
            await record(session, database)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")  # shows waits
    try:
        asyncio.run(main(sys.argv[1] if sys.argv[1:] else "history.db"))
    except (PresenceError, sqlite3.Error) as error:
        sys.exit(f"history: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
