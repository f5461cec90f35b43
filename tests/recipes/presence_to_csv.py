"""Write the presence of all extensions to a CSV file. For cron: presence_to_csv.py FILE."""

import asyncio
import csv
import os
import sys
from pathlib import Path

from aiopresence import FileTokenStore, GetPresenceInfo, PresenceError, PresenceSession

TOKENS = Path.home() / ".cache/presence_to_csv/tokens.json"  # All runs share one login.
COLUMNS = ("id", "number", "presence", "telephony", "dnd")


def row(of: GetPresenceInfo) -> tuple[str | None, ...]:
    statuses = of.presence_status, of.effective_telephony_status, of.effective_dnd_status
    who = of.extension
    return (who.id if who else None, who.extension_number if who else None, *statuses)


def write(path: Path, rows: list[tuple[str | None, ...]]) -> None:
    new = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with new.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([COLUMNS, *rows])
        os.replace(new, path)  # Whoever reads it has the old file or the new one, never half.
    finally:
        new.unlink(missing_ok=True)


async def main(path: Path) -> None:
    async with PresenceSession.from_env(token_store=FileTokenStore(TOKENS)) as session:
        write(path, [row(presence) async for presence in session.iter_account_presence()])


if __name__ == "__main__":
    try:
        asyncio.run(main(Path(sys.argv[1] if len(sys.argv) > 1 else "presence.csv")))
    except (PresenceError, OSError) as error:
        sys.exit(f"presence_to_csv: {error}")
