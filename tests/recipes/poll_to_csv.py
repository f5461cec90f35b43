"""Write the presence of all extensions to a CSV file every minute, until Ctrl-C."""

import argparse
import asyncio
import csv
import logging
import os
import sys
from pathlib import Path

from aiopresence import (
    GetPresenceInfo,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    PresenceError,
    PresenceSession,
    UsageError,
)

PERMANENT = (UsageError, PermissionDenied, NotFound, InvalidRequest)
COLUMNS = ("id", "number", "presence", "telephony", "dnd")


def row(p: GetPresenceInfo) -> tuple[str | None, ...]:
    id_, number = (p.extension.id, p.extension.extension_number) if p.extension else (None, None)
    return id_, number, p.presence_status, p.effective_telephony_status, p.effective_dnd_status


async def read(session: PresenceSession, path: Path) -> None:
    rows = [row(presence) async for presence in session.iter_account_presence()]
    new = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with new.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([COLUMNS, *rows])
        os.replace(new, path)  # atomic: readers see the old file or the new one
    finally:
        new.unlink(missing_ok=True)


async def main(path: Path, interval: float) -> None:
    time = asyncio.get_running_loop().time
    async with PresenceSession.from_env() as session:
        while True:
            next_round = time() + interval
            try:
                await read(session, path)
            except PresenceError as error:
                if isinstance(error, PERMANENT) or getattr(error, "final", False):
                    raise
                logging.warning("this round failed, %s is unchanged: %s", path, error)
            await asyncio.sleep(next_round - time())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, nargs="?", default="presence.csv")
    parser.add_argument("seconds", type=float, nargs="?", default=60.0)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")  # shows waits
    try:
        asyncio.run(main(arguments.file, arguments.seconds))
    except (PresenceError, OSError) as error:
        sys.exit(f"poll_to_csv: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
