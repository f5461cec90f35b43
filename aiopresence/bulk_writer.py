"""Bulk writes: any number of changes in, one typed outcome per id out, in order."""

from collections.abc import Mapping
from contextlib import aclosing

from .bulk import send_one_of_many
from .concurrency import AHEAD, aiter_any, map_ordered
from .errors import AuthError, PresenceError, UsageError
from .ids import Id
from .models import PresenceInfoRequest, PresenceInfoResponse
from .models.validation import Fields, as_record
from .protocol import batch, endpoints
from .protocol.outcome import BatchResult, Outcome, failed
from .protocol.rest import Request
from .transport.instrumentation import Instrumentation
from .transport.requester import Requester

Change = PresenceInfoRequest | Fields
# Three types, because a Mapping is invariant in its key.
Changes = Mapping[str, Change] | Mapping[int, Change] | Mapping[Id, Change]


class BulkWriter:
    """Changes the presence of many extensions, with one request each.

    Args:
        requester: what sends the requests.
        instrumentation: what counts the outcomes.
        concurrency: how many requests may be in flight.
    """

    def __init__(
        self, requester: Requester, instrumentation: Instrumentation, concurrency: int
    ) -> None:
        self._requester = requester
        self._instrumentation = instrumentation
        self._limit = AHEAD * concurrency

    async def update_presence(
        self, changes: Changes, account_id: Id
    ) -> BatchResult[PresenceInfoResponse]:
        """Change presence; see `PresenceApi.update_user_presence_statuses`."""
        requests = _update_requests(changes, account_id)
        self._requester.check_open()
        outcomes = map_ordered(self._write, aiter_any(requests.items()), limit=self._limit)
        async with aclosing(outcomes):
            return BatchResult([outcome async for outcome in outcomes])

    async def _write(
        self, write: tuple[str, Request[PresenceInfoResponse]]
    ) -> Outcome[PresenceInfoResponse]:
        id_, request = write
        outcomes: list[Outcome[PresenceInfoResponse]]
        try:
            response = await send_one_of_many(self._requester, self._instrumentation.stats, request)
        except (AuthError, UsageError):
            raise
        except PresenceError as error:
            outcomes = failed([id_], error, getattr(error, "http_status", None))
        else:
            outcomes = batch.read((id_,), response, request.model)
        self._instrumentation.items_answered(1)
        return outcomes[0]


def _update_requests(changes: Changes, account_id: Id) -> dict[str, Request[PresenceInfoResponse]]:
    """Return the requests for some changes, by id; UsageError if one of them is wrong."""
    if not isinstance(changes, Mapping):
        raise UsageError("request_bodies must be a mapping of extension ids to changes")
    requests: dict[str, Request[PresenceInfoResponse]] = {}
    for id_, body in changes.items():
        if str(id_) in requests:
            raise UsageError(f"request_bodies has the id {id_} twice, as str and as int")
        try:
            change = as_record(PresenceInfoRequest, body)
        except UsageError as error:
            raise UsageError(f"request_bodies[{id_!r}]: {error}") from None
        requests[str(id_)] = endpoints.update_user_presence_status(account_id, id_, change)
    return requests
