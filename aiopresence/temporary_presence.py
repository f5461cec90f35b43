"""Change presence for the time of an `async with` block, and undo the change at its end.

protocol/restoring.py decides what is undone; this module reads and writes.

What can go wrong, and what happens then:

- The change is refused: nothing was changed, so nothing is undone.
- The answer to the change is lost, or the task is cancelled meanwhile: the presence is read, and
  what has changed is undone, in 30 seconds at most. Then the error is raised. A change that is on
  its way when the task is cancelled is waited for, because RingCentral may make it after the read.
- The answer to the request that undoes is lost: the presence is read again, and the request is
  repeated if it took no effect.
- Undoing fails: `RestoreFailed`. If the block has raised an error, that one is raised with a note,
  and a warning logged.
- The block is cancelled: the change is undone all the same, in 30 seconds at most.
- The task is cancelled while the change is undone: it stops, and a warning is logged.

Blocks of one session that change the same extension begin and end one after the other, and know of
one another: see protocol/restoring.py. Those of other sessions are like changes of somebody else.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from enum import Enum
from typing import Any

import attrs

from .errors import (
    DecodeError,
    PresenceError,
    RestoreFailed,
    ServerError,
    TransportError,
    one_line,
    short_repr,
)
from .models import GetPresenceInfo, PresenceInfoRequest, PresenceInfoResponse
from .protocol.restoring import before_both, groups, remaining, restoring, unknown_fields, without

_log = logging.getLogger("aiopresence")

# Seconds that undoing may take after a cancellation, or after a change whose answer was lost.
UNDO_TIMEOUT = 30.0
# Of these, the seconds for the answer to a change that was on its way. A guess: longer than usual.
ANSWER_TIMEOUT = 5.0
# After these errors a write may have been applied.
_MAY_HAVE_RUN = (TransportError, ServerError, DecodeError)
_STOPPED = "it was stopped before it was done"


@attrs.frozen
class TemporaryPresence:
    """A temporary change of presence.

    Attributes:
        before: the presence before the change.
        applied: the presence that the change has made.
    """

    before: GetPresenceInfo
    applied: PresenceInfoResponse


class OpenBlocks:
    """The blocks that change one extension now, in the order in which they began.

    Attributes:
        lock: held while one begins or ends.
    """

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self._undos: list[_Undo] = []

    def add(self, undo: "_Undo") -> None:
        """Add a block that has begun."""
        self._undos.append(undo)

    def discard(self, undo: "_Undo") -> None:
        """Remove a block, if it is there."""
        self._undos = [each for each in self._undos if each is not undo]

    def end(self, undo: "_Undo", applied: PresenceInfoResponse) -> PresenceInfoRequest:
        """Leave to later blocks what they restore; return what remains of the change to undo."""
        later = self._undos[self._undos.index(undo) + 1 :]
        for group in groups(undo.change):
            if (each := next((u for u in later if group in groups(u.change)), None)) is not None:
                each.before = before_both(undo.before, applied, each.before, group)
        return without(undo.change, [each.change for each in later])


@asynccontextmanager
async def temporary_presence(
    extension_id: str,
    change: PresenceInfoRequest,
    read: Callable[[], Awaitable[GetPresenceInfo]],
    write: Callable[[PresenceInfoRequest], Awaitable[PresenceInfoResponse]],
    blocks: OpenBlocks,
) -> AsyncGenerator[TemporaryPresence, None]:
    """Change the presence of one extension for the time of a block.

    Args:
        extension_id: the extension, for messages.
        change: the fields to change.
        read: reads the presence of the extension.
        write: changes it.
        blocks: the blocks of this extension.

    Raises:
        RestoreFailed: the change could not be undone; or it could not be, because values before are
            not known: nothing is changed then.
        PresenceError: the presence could not be read or changed.
    """
    async with blocks.lock:
        before = await read()
        if unknown := unknown_fields(before, change):
            names = ", ".join(unknown)
            raise RestoreFailed(
                f"{names} could not be restored: RingCentral did not send the value", {}
            )
        undo = _Undo(extension_id, before, change, read, write, blocks)
        writing = asyncio.ensure_future(write(change))
        try:
            applied = await asyncio.shield(writing)
        except (*_MAY_HAVE_RUN, asyncio.CancelledError) as error:
            await undo.after(error, None, writing)
            raise
        finally:
            writing.cancel()
        blocks.add(undo)
    try:
        yield TemporaryPresence(before, applied)
    except BaseException as error:
        await undo.after(error, applied)
        raise
    await undo.run(applied)


@attrs.define(eq=False)
class _Undo:
    """Undoes a change. Blocks that end earlier change its `before`."""

    extension_id: str
    before: GetPresenceInfo
    change: PresenceInfoRequest
    read: Callable[[], Awaitable[GetPresenceInfo]]
    write: Callable[[PresenceInfoRequest], Awaitable[PresenceInfoResponse]]
    blocks: OpenBlocks

    async def after(
        self,
        error: BaseException,
        applied: PresenceInfoResponse | None,
        writing: "asyncio.Future[PresenceInfoResponse] | None" = None,
    ) -> None:
        """Undo the change because of an error; if that fails, say so in a note of the error.

        Args:
            error: the error, which the caller raises.
            applied: as in `run`.
            writing: as in `run`.
        """
        may_take_long = applied is not None and isinstance(error, Exception)
        limit = asyncio.timeout(None if may_take_long else UNDO_TIMEOUT)
        try:
            async with limit:
                await self.run(applied, writing)
        except RestoreFailed as failure:
            _log.warning("%s", failure)
            error.add_note(str(failure))
        except (TimeoutError, asyncio.CancelledError):
            # In a task that is being cancelled, Python 3.11.2 raises the one for the other.
            if not limit.expired():
                raise
            error.add_note(str(self._failure(applied, _STOPPED)))

    async def run(
        self,
        applied: PresenceInfoResponse | None,
        writing: "asyncio.Future[PresenceInfoResponse] | None" = None,
    ) -> None:
        """Undo the change.

        Args:
            applied: the answer to the change; None if it was lost.
            writing: the change, which may be on its way; None if it is not.

        Raises:
            RestoreFailed: it could not be undone.
        """
        try:
            if writing is not None:
                await _end(writing)
            left = await self._restore(applied)
        except PresenceError as error:
            raise self._failure(applied, str(error)) from error
        except asyncio.CancelledError:
            _log.warning("%s", self._failure(applied, _STOPPED))
            raise
        finally:
            self.blocks.discard(self)
        if left:
            raise self._failed("RingCentral has not restored it", left)

    async def _restore(self, applied: PresenceInfoResponse | None) -> Mapping[str, Any]:
        """Read, write what is to be restored, and return what remains."""
        if applied is None:  # The block is about to begin, and has the lock.
            return await self._try_twice(None)
        async with self.blocks.lock:
            self.change = self.blocks.end(self, applied)
            if not remaining(self.before, applied, self.change):
                return {}
            return await self._try_twice(applied)

    async def _try_twice(self, applied: PresenceInfoResponse | None) -> Mapping[str, Any]:
        try:
            return await self._restore_once(applied)
        except _MAY_HAVE_RUN:
            # Nothing is written again if the request did take effect.
            return await self._restore_once(applied)

    async def _restore_once(self, applied: PresenceInfoResponse | None) -> Mapping[str, Any]:
        now = await self.read()
        back = restoring(self.before, applied or now, now, self.change)
        return remaining(self.before, await self.write(back), back) if back else {}

    def _failure(self, applied: PresenceInfoResponse | None, reason: str) -> RestoreFailed:
        requested = attrs.asdict(self.change, filter=lambda _, value: value is not None)
        left = remaining(self.before, applied, self.change) if applied else requested
        return self._failed(reason, left)

    def _failed(self, reason: str, left: Mapping[str, Any]) -> RestoreFailed:
        whose = f"extension {self.extension_id}".replace("extension ~", "your own extension")
        fields = ", ".join(f"{name} may still be {_shown(value)}" for name, value in left.items())
        text = one_line(f"the presence of {whose} was not restored: {fields} ({reason})", 1000)
        return RestoreFailed(text, left)


async def _end(writing: "asyncio.Future[PresenceInfoResponse]") -> None:
    """Wait for the answer to a change, and stop waiting for it when it takes too long."""
    await asyncio.wait([writing], timeout=ANSWER_TIMEOUT)
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)


def _shown(value: Any) -> str:
    return short_repr(value.value if isinstance(value, Enum) else value)
