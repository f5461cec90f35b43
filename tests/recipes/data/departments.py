"""Print how many people of each department have each availability, with pandas."""

import asyncio
import sys

import pandas as pd

from aiopresence import Availability, PresenceError, PresenceSession


async def people(session: PresenceSession) -> pd.DataFrame:
    directory = await session.read_directory()
    rows = []
    async for presence in session.iter_account_presence():
        id_ = (presence.extension and presence.extension.id) or ""
        entry = directory.get(id_)
        rows.append(
            {
                "id": id_,
                "name": entry and entry.name,
                "department": (entry and entry.department) or "(none)",
                "availability": presence.availability.label,
                "message": presence.message,
            }
        )
    frame = pd.DataFrame(rows).set_index("id")
    in_order = [each.label for each in Availability]
    return frame.astype({"availability": pd.CategoricalDtype(in_order)})


async def main() -> None:
    async with PresenceSession.from_env() as session:
        frame = await people(session)
    print(pd.crosstab(frame["department"], frame["availability"]).to_string())


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except PresenceError as error:
        sys.exit(f"departments: {error}")
