"""A process that shares a board; it is started by `tests.support.boards.BoardProcess`.

It reads commands from its input, one in a line, and prints a JSON object for each: `ready` once the
board is ready, `show` with what the board has, and `close`, after which it ends.
"""

import asyncio
import json
import sys
from typing import Any

from aiopresence import JwtGrant, PresenceBoard, PresenceSession, Resync, SessionHooks
from aiopresence.redis import RedisBoard
from tests.support.boards import Watch, number_of


async def read_line() -> str:
    return await asyncio.to_thread(sys.stdin.readline)


class Hooks(SessionHooks):
    """Records the reasons of resyncs."""

    def __init__(self) -> None:
        self.resyncs: list[str] = []

    def on_resync(self, resync: Resync) -> None:
        self.resyncs.append(resync.reason)


def shown(
    session: PresenceSession, board: PresenceBoard, watch: Watch, hooks: Hooks
) -> dict[str, Any]:
    return {
        "numbers": {id_: number_of(board[id_]) for id_ in board},
        "stale": [id_ for id_ in board if board.is_stale(id_)],
        "is_live": board.is_live,
        "backward": watch.backward,
        "resyncs": hooks.resyncs,
        "requests": session.stats.requests,
    }


async def main(options: dict[str, Any]) -> None:
    shared = RedisBoard(options["redis"], **options["shared"])
    grant, hooks = JwtGrant(*options["grant"]), Hooks()
    async with (
        PresenceSession(grant, server=options["server"], hooks=hooks) as session,
        session.board(shared=shared) as board,
    ):
        watch = Watch(board)
        watching = asyncio.create_task(watch.run())
        while (command := (await read_line()).strip()) not in ("close", ""):
            if command == "ready":
                await board.wait_ready()
            sys.stdout.write(json.dumps(shown(session, board, watch, hooks)) + "\n")
            sys.stdout.flush()
    await watching


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
