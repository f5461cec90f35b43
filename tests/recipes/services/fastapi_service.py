"""Serve presence with FastAPI: typed responses, and changes as a stream of JSON lines.

uvicorn --timeout-graceful-shutdown 1 fastapi_service:app
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from aiopresence import (
    Availability,
    PresenceBoard,
    PresenceError,
    PresenceSession,
    to_dict,
    to_json,
)


class Person(BaseModel):
    id: str
    number: str | None
    availability: Availability
    message: str | None
    stale: bool


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with PresenceSession.from_env() as session, session.board() as app.state.board:
        yield  # without wait_ready(), which could take as long as an outage


async def ready_board(request: Request) -> PresenceBoard:
    board: PresenceBoard = request.app.state.board
    try:
        async with asyncio.timeout(0):
            await board.wait_ready()
    except (TimeoutError, PresenceError) as error:  # or the board has ended for good
        raise HTTPException(503, str(error) or "presence has not been read yet") from None
    return board


app = FastAPI(lifespan=lifespan)
Board = Annotated[PresenceBoard, Depends(ready_board)]


@app.get("/people")
async def people(board: Board, availability: Availability | None = None) -> list[Person]:
    everybody = (person(board, id_) for id_ in board)
    return [each for each in everybody if availability in (None, each.availability)]


@app.get("/people/{id_}")
async def one(board: Board, id_: str) -> Person:
    if id_ not in board:
        raise HTTPException(404, f"no extension {id_}")
    return person(board, id_)


@app.get("/counts")
async def counts(board: Board) -> dict[Availability, int]:
    return board.count()


@app.get("/presence")
async def presence(board: Board) -> dict[str, Any]:
    return {id_: to_dict(record) for id_, record in board.items()}


@app.get("/changes")
async def changes(board: Board) -> StreamingResponse:
    lines = (to_json(change) + "\n" async for change in board.changes())
    return StreamingResponse(lines, media_type="application/x-ndjson")


def person(board: PresenceBoard, id_: str) -> Person:
    record = board[id_]
    return Person(
        id=id_,
        number=record.extension.extension_number if record.extension else None,
        availability=record.availability,
        message=record.message,
        stale=board.is_stale(id_),
    )
