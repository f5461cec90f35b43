"""Answer chat questions, "who can take a call?" and "is 101 free?", from one board."""

import asyncio
import logging
import re
import signal
import sys

from aiopresence import GetPresenceInfo, PresenceBoard, PresenceError, PresenceSession

FREE = "Available, NoCall, TakeAllCalls"


def state(p: GetPresenceInfo) -> str:
    statuses = p.presence_status, p.effective_telephony_status, p.effective_dnd_status
    return ", ".join(filter(None, statuses))


async def answer(board: PresenceBoard, question: str) -> str:
    await board.wait_ready()  # only the first question may wait
    states = {p.extension.extension_number or "": state(p) for p in board.values() if p.extension}
    as_of = "" if board.is_live else f" (last update {board.age:.0f} s ago)"
    if "who" in question.lower():
        free = sorted((n for n in states if states[n] == FREE), key=lambda n: (len(n), n))
        more = f" and {len(free) - 10} more" if len(free) > 10 else ""
        return (", ".join(free[:10]) or "nobody") + more + as_of
    number = "".join(re.findall(r"\d+", question)[:1])
    if number not in states:
        return f"no extension {number}" if number else "ask: who can take a call? is 101 free?"
    return f"{number}: {states[number].replace(FREE, 'free')}{as_of}"


async def main() -> None:
    async with PresenceSession.from_env() as session, session.board() as board:
        # In a bot, call answer(board, text) in the handler of Slack's or Teams' messages instead.
        while question := await asyncio.to_thread(sys.stdin.readline):
            print(await answer(board, question), flush=True)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")  # shows waits
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends the program at once
    try:
        asyncio.run(main())
    except PresenceError as error:
        sys.exit(f"who_can_take_a_call: {error}")
