"""Set which members of a queue take its calls, by a roster. For cron, every hour."""

import asyncio
import sys
from datetime import datetime, time

from aiopresence import PresenceError, PresenceSession

QUEUE = "400123450"  # the id of the queue's extension
# Extension numbers on duty, by hours (from, until) of local time; nobody at other hours.
ROSTER = {(8, 12): {"101", "102"}, (12, 18): {"102", "103"}}


def on_duty_at(roster: dict[tuple[int, int], set[str]], now: time) -> set[str]:
    return {number for (a, b), who in roster.items() if a <= now.hour < b for number in who}


async def shift(
    session: PresenceSession, queue_id: str, on_duty: set[str], *, dry_run: bool = False
) -> list[str]:
    records = (await session.read_call_queue_presence(queue_id)).records or ()
    members = [(r.member, r.accept_current_queue_calls) for r in records if r.member]
    if missing := on_duty - {member.extension_number for member, _ in members}:
        raise LookupError(f"not in queue {queue_id}: {', '.join(sorted(missing))}")
    change = [m for m, takes in members if takes is not (m.extension_number in on_duty)]
    if change and not dry_run:
        wanted = [(m.id, m.extension_number in on_duty) for m in change]
        body = [{"member": {"id": i}, "accept_current_queue_calls": on} for i, on in wanted]
        await session.update_call_queue_presence({"records": body}, group_id=queue_id)
    return sorted(m.extension_number or "" for m in change)


async def main(dry_run: bool) -> None:
    on_duty = on_duty_at(ROSTER, datetime.now().astimezone().time())
    async with PresenceSession.from_env() as session:
        for number in await shift(session, QUEUE, on_duty, dry_run=dry_run):
            print(number, "takes calls" if number in on_duty else "is off")


if __name__ == "__main__":
    try:
        asyncio.run(main("--dry-run" in sys.argv[1:]))
    except (PresenceError, LookupError) as error:
        sys.exit(f"roster_shift: {error}")
