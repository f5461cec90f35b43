"""Read the presence of many ids by one of three routes.

In batches, each id is requested. By pages, the whole account is listed, a thousand extensions with
each request, and what no page had is read in batches: so an id that does not exist has its own
NotFound. The third one, "fastest", is either, or both at the same time: see `routed_read`.

Only the session's own account is listed: for other ones every route is "batches".
"""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from typing import get_args

from .bulk import Outcomes, in_order
from .concurrency import SLICE, aiter_any, in_bursts, run_cooperatively
from .errors import UsageError, short_repr
from .ids import Id, Ids, check_id_iterable, parse_id, parse_ids
from .models import GetPresenceInfo
from .protocol.endpoints import ReadOptions
from .protocol.outcome import BatchResult, keep
from .readers import Readers
from .routed_read import Presence, Route, RoutedRead
from .transport.instrumentation import Instrumentation
from .transport.requester import Requester

# The most ids that an iteration reads and holds at a time, unless it reads in batches. With their
# records they take some 70 MB. A guess: few accounts have more extensions.
MAX_HELD = 50_000
# Seconds without an id after which an iteration reads those that it has, and the seconds after
# which it does so although more of them come. Guesses.
PAUSE, LONGEST = 1.0, 5.0


class RouteReader:
    """Reads presence by ids: in batches, by pages of the account, or both.

    Args:
        readers: what reads batches and pages.
        requester: what both send requests with.
        instrumentation: what counts the outcomes.
        account_id: the session's account.
    """

    def __init__(
        self,
        readers: Readers,
        requester: Requester,
        instrumentation: Instrumentation,
        account_id: str,
    ) -> None:
        self._readers = readers
        self._requester = requester
        self._instrumentation = instrumentation
        self._account_id = account_id

    async def read(
        self, extension_ids: Iterable[Id], options: ReadOptions, route: Route
    ) -> BatchResult[GetPresenceInfo]:
        """Read presence; see `PresenceApi.read_user_presence_statuses`."""
        if not self._may_list(options, route):
            return await self._readers.batch_reader.read_presence(extension_ids, options)
        check_id_iterable(extension_ids)
        self._requester.check_open()
        ids, unique = await run_cooperatively(parse_ids([*extension_ids]))
        read = RoutedRead(self._readers, unique, options, route)
        found: Outcomes[GetPresenceInfo] = {}
        async with aclosing(read.groups()) as groups:
            async for group in groups:
                keep(found, group.outcomes)
        self._instrumentation.items_answered(len(found))
        return BatchResult(await run_cooperatively(in_order(ids, found)), read.route)

    def iterate(
        self, extension_ids: Ids, options: ReadOptions, route: Route
    ) -> AsyncGenerator[Presence, None]:
        """Read presence in bounded memory; see `PresenceApi.iter_user_presence_statuses`."""
        if not self._may_list(options, route):
            return self._readers.batch_reader.iter_presence(extension_ids, options)
        check_id_iterable(extension_ids, allow_async=True)
        return self._iterate(extension_ids, options, route)

    async def _iterate(
        self, ids: Ids, options: ReadOptions, route: Route
    ) -> AsyncGenerator[Presence, None]:
        self._requester.check_open()
        async with aclosing(_bursts(ids)) as bursts:
            async for burst in bursts:
                async with aclosing(self._iter_burst(burst, options, route)) as outcomes:
                    async for outcome in outcomes:
                        yield outcome

    async def _iter_burst(
        self, ids: list[str], options: ReadOptions, route: Route
    ) -> AsyncGenerator[Presence, None]:
        """Yield the outcomes in the order of the ids, each as soon as those before it came."""
        found: Outcomes[GetPresenceInfo] = {}
        place = 0
        read = RoutedRead(self._readers, ids, options, route)
        async with aclosing(read.groups()) as groups:
            async for group in groups:
                keep(found, group.outcomes)
                self._instrumentation.items_answered(len(group.outcomes))
                while place < len(ids) and (outcome := found.get(ids[place])) is not None:
                    yield outcome
                    place += 1
                    if place % SLICE == 0:
                        await asyncio.sleep(0)

    def _may_list(self, options: ReadOptions, route: Route) -> bool:
        if not isinstance(route, str) or route not in get_args(Route):
            names = ", ".join(get_args(Route))
            raise UsageError(f"route must be one of: {names}; not {short_repr(route)}")
        return route != "batches" and options.account_id == self._account_id


def _bursts(ids: Ids) -> AsyncGenerator[list[str], None]:
    return in_bursts(_checked(ids), most=MAX_HELD, pause=PAUSE, longest=LONGEST)


async def _checked(ids: Ids) -> AsyncGenerator[str, None]:
    """Yield ids as str; UsageError for one that is neither digits nor "~"."""
    index = 0
    async for value in aiter_any(ids):
        yield parse_id(value, "extension_ids", index, tilde=True)
        index += 1
