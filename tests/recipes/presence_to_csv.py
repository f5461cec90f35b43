"""Write the presence of all extensions to a CSV file. For cron: presence_to_csv.py FILE."""

import asyncio
import csv
import os
import sys
from pathlib import Path

from aiopresence import FileTokenStore, GetPresenceInfo, PresenceError, PresenceSession

TOKENS = Path.home() / ".cache/presence_to_csv/tokens.json"  # all runs share one login
COLUMNS = ("id", "number", "presence", "telephony", "dnd")


def row(p: GetPresenceInfo) -> tuple[str | None, ...]:
    id_, number = (p.extension.id, p.extension.extension_number) if p.extension else (None, None)
    return id_, number, p.presence_status, p.effective_telephony_status, p.effective_dnd_status


def write(path: Path, rows: list[tuple[str | None, ...]]) -> None:
    new = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with new.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([COLUMNS, *rows])
        os.replace(new, path)  # atomic: readers see the old file or the new one
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
