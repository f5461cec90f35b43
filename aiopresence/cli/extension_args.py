"""Which extensions a command is about: ids, extension numbers, a file of ids, or a default."""

import asyncio
import codecs
import re
import threading
from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING

import attrs
import typer

from ..ids import is_id
from .files import is_regular, read_chunks
from .session import INTERRUPTED

if TYPE_CHECKING:
    from .. import PresenceSession

_LONGEST = 19
_BETWEEN = re.compile(r"[\s,]+")
# Ids that are handed on at once, and how often that is before they are used. Guesses.
_AT_ONCE, _AHEAD = 30, 64
NO_IDS = "name the ids to read, ~ for your own, or --sandbox 100"


def check(ids: Iterable[str], *, tilde: bool = True) -> None:
    """Refuse what is no id before anything is sent.

    Raises:
        BadParameter: one is none; the message names it.
    """
    for id_ in ids:
        if not (is_id(id_) or (tilde and id_ == "~")):
            own = ", or ~ for your own" if tilde else ""
            raise typer.BadParameter(
                f"{id_[:40]!r} is no extension id, which is digits{own}; for an extension number"
                " use --number"
            )


@attrs.frozen
class Asked:
    """The ids that a command was asked for.

    Attributes:
        ids: those of the command line.
        file: the name of a file with more; None for none.
        in_file: how many are in it; None where that is known at its end only.
    """

    ids: Sequence[str] = ()
    file: str | None = None
    in_file: int | None = 0

    def count(self, more: int) -> int | None:
        """Return how many ids there are with so many more; None when not known."""
        return None if self.in_file is None else len(self.ids) + self.in_file + more

    async def stream(self, more: Sequence[str]) -> AsyncGenerator[str, None]:
        """Yield all ids, and more.

        Raises:
            BadParameter: the file cannot be read, or something in it is no id, or there are none.
        """
        count = len(self.ids) + len(more)
        for id_ in self.ids:
            yield id_
        if self.file is not None:
            async for id_ in _in_thread(_ids_in(self.file)):
                count += 1
                yield id_
        for id_ in more:
            yield id_
        if not count:
            raise typer.BadParameter(NO_IDS)


def given(ids: list[str] | None, ids_file: str | None = None) -> Asked:
    """Check the ids of the command line and of a file, before a loop runs that Ctrl-C ends.

    What can be read only once, such as standard input, is checked as it is read.

    Raises:
        BadParameter: the file cannot be read, or something is no id.
    """
    check(ids or ())
    if ids_file is None:
        return Asked(ids or ())
    try:
        count = sum(1 for _ in _ids_in(ids_file)) if is_regular(ids_file) else None
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    return Asked(ids or (), ids_file, count)


def _ids_in(name: str) -> Iterator[str]:
    """Read the ids of a file, of which only a piece is in memory."""
    # Some programs begin files with a mark that is no part of the first id.
    decoder, rest = codecs.getincrementaldecoder("utf-8-sig")(), ""
    try:
        for chunk in read_chunks(name):
            text = rest + decoder.decode(chunk)
            *whole, rest = _BETWEEN.split(text)
            check(words := [word for word in whole if word])
            yield from words
            if len(rest) > _LONGEST:
                check([rest])
        rest += decoder.decode(b"", final=True)
    except (OSError, UnicodeDecodeError) as error:
        reason = (error.strerror or error) if isinstance(error, OSError) else "it is no text"
        raise typer.BadParameter(f"{name} cannot be read: {reason}") from None
    if rest:
        check([rest])
        yield rest


async def _in_thread(items: Iterator[str]) -> AsyncGenerator[str, None]:
    """Iterate in a thread, as reading may wait for ever, which must not keep Ctrl-C from ending.

    The thread is a daemon, for which the end of the process does not wait.
    """
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[list[str] | BaseException | None] = asyncio.Queue()
    room = threading.Semaphore(_AHEAD)

    def put(item: list[str] | BaseException | None) -> None:
        with suppress(RuntimeError):  # The loop has ended.
            loop.call_soon_threadsafe(queue.put_nowait, item)

    def read() -> None:
        try:
            while some := [*islice(items, _AT_ONCE)]:
                room.acquire()
                put(some)
            put(None)
        except BaseException as error:
            put(error)

    threading.Thread(target=read, daemon=True).start()
    while (item := await queue.get()) is not None:
        if isinstance(item, BaseException):
            raise item
        for each in item:
            yield each
        room.release()


async def one_id(session: "PresenceSession", id_: str | None, number: str | None) -> str | None:
    """Give the one id that was named, by itself or by its number; None when none was.

    Raises:
        BadParameter: both were, or there is no such number.
    """
    from .directory import ids_of

    if number is None:
        return id_
    if id_ is not None:
        raise typer.BadParameter("name an id or a --number, not both")
    return (await ids_of(session, [number]))[0]
