"""Build the requests of the nine presence calls, and of the directory.

Every id is checked before it becomes part of a path, so that nothing can be injected.
Source: RingCentral API reference, "Presence", also for the usage-plan groups.
"""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import NoneType
from typing import Any, TypeVar

import attrs

from ..errors import UsageError, short_repr
from ..ids import Id, parse_id
from ..models import (
    AccountPresenceInfo,
    CallQueuePresence,
    CallQueueUpdatePresence,
    ExtensionCallQueuePresenceList,
    ExtensionCallQueueUpdatePresenceList,
    GetPresenceInfo,
    PresenceInfoRequest,
    UnifiedPresence,
    UpdateUnifiedPresence,
)
from ..models.validation import as_record
from . import decoding
from .directory_pages import DirectoryPage
from .rest import JSON, MAX_PAGE, Request
from .urls import is_path

T = TypeVar("T")

_ID_LIST = re.compile(r"~|(?:0|[1-9][0-9]{0,18})(?:,(?:0|[1-9][0-9]{0,18}))*", re.ASCII)


def _account(account_id: Id) -> str:
    return parse_id(account_id, "account_id", tilde=True)


def _path(account_id: Id, tail: str) -> str:
    return f"/restapi/v1.0/account/{_account(account_id)}/{tail}"


def _extension_path(account_id: Id, ids: Sequence[Id], tail: str) -> str:
    # Several ids make a batch. RingCentral expects the commas as they are, not percent-encoded.
    return _path(account_id, f"extension/{_joined(ids)}/{tail}")


def _joined(ids: Sequence[Id]) -> str:
    # A bulk read has checked its ids, so that one look at all of them is enough here.
    with suppress(TypeError):  # Some are of type int.
        joined = ",".join(ids)  # type: ignore[arg-type]
        if _ID_LIST.fullmatch(joined) and joined.count(",") == len(ids) - 1:
            return joined
    return ",".join([parse_id(id_, "extension_id", tilde=True) for id_ in ids])


def _queue_path(account_id: Id, group_id: Id) -> str:
    return _path(account_id, f"call-queues/{parse_id(group_id, 'group_id')}/presence")


def _flags(**values: bool | None) -> tuple[tuple[str, str], ...]:
    for name, value in values.items():
        if value is not None and not isinstance(value, bool):
            raise UsageError(f"{name} must be True, False or None, not {type(value).__name__}")
    return tuple((decoding.camel(k), str(v).lower()) for k, v in values.items() if v is not None)


def _numbers(**values: int | None) -> tuple[tuple[str, str], ...]:
    for name, value in values.items():
        if value is not None and not (type(value) is int and 0 < value < 10**9):
            raise UsageError(f"{name} must be a positive int, not {short_repr(value)}")
    return tuple((decoding.camel(k), str(v)) for k, v in values.items() if v is not None)


def _write(
    method: str, path: str, model: type[T], body_class: type[Any], body: object
) -> Request[T]:
    data = decoding.dump(as_record(body_class, body))
    return Request(method, path, "Medium", model, body=data, headers={"content-type": JSON})


@attrs.frozen
class ReadOptions:
    """Whose presence to read, and how much of it. Checked when it is made.

    Attributes:
        account_id: the account; "~" is the caller's own.
        detailed_telephony_state: include active calls; None does not send the parameter.
        sip_data: include active calls and their SIP data; None does not send the parameter.
        params: the query parameters of the two flags.

    Raises:
        UsageError: the account is not an id, or a flag is neither a bool nor None.
    """

    account_id: str = attrs.field(default="~", converter=_account)
    detailed_telephony_state: bool | None = None
    sip_data: bool | None = None
    params: tuple[tuple[str, str], ...] = attrs.field(init=False)

    @params.default
    def _default_params(self) -> tuple[tuple[str, str], ...]:
        return _flags(
            detailed_telephony_state=self.detailed_telephony_state, sip_data=self.sip_data
        )

    @property
    def has_calls(self) -> bool:
        """Whether active calls are read."""
        return bool(self.detailed_telephony_state or self.sip_data)


def read_user_presence_status(
    options: ReadOptions, extension_ids: Sequence[Id], *, accept: str = JSON
) -> Request[GetPresenceInfo]:
    """Build the request to read the presence of one extension, or of several in a batch."""
    return Request(
        "GET",
        _extension_path(options.account_id, extension_ids, "presence"),
        "Light",
        GetPresenceInfo,
        options.params,
        headers={"accept": accept},
    )


def update_user_presence_status(
    account_id: Id, extension_id: Id, body: object
) -> Request[GetPresenceInfo]:
    """Build the request to update the presence of one extension; a None body changes nothing."""
    path = _extension_path(account_id, [extension_id], "presence")
    body = PresenceInfoRequest() if body is None else body
    return _write("PUT", path, GetPresenceInfo, PresenceInfoRequest, body)


def read_account_presence(
    options: ReadOptions, *, page: int | None = None, per_page: int | None = None
) -> Request[AccountPresenceInfo]:
    """Build the request to read a page of the presence of an account."""
    params = options.params + _numbers(page=page, per_page=per_page)
    path = _path(options.account_id, "presence")
    return Request("GET", path, "Heavy", AccountPresenceInfo, params, max_body=MAX_PAGE)


def read_directory(account_id: Id) -> Request[DirectoryPage]:
    """Build the request to read the first page of the directory of an account."""
    params = (("showFederated", "false"), ("perPage", "2000"))
    path = _path(account_id, "directory/entries")
    return Request("GET", path, "Medium", DirectoryPage, params, max_body=MAX_PAGE)


def list_extensions(account_id: Id) -> Request[DirectoryPage]:
    """Build the request to read the first page of the list of an account's extensions."""
    path = _path(account_id, "extension")
    return Request("GET", path, "Medium", DirectoryPage, (("perPage", "1000"),), max_body=MAX_PAGE)


def read_call_queue_presence(account_id: Id, group_id: Id) -> Request[CallQueuePresence]:
    """Build the request to read which members accept the calls of a queue."""
    return Request("GET", _queue_path(account_id, group_id), "Light", CallQueuePresence)


def update_call_queue_presence(
    account_id: Id, group_id: Id, body: object
) -> Request[CallQueuePresence]:
    """Build the request to update which members accept the calls of a queue."""
    path = _queue_path(account_id, group_id)
    return _write("PUT", path, CallQueuePresence, CallQueueUpdatePresence, body)


def read_extension_call_queue_presence(
    account_id: Id, extension_id: Id, *, editable_member_status: bool | None = None
) -> Request[ExtensionCallQueuePresenceList]:
    """Build the request to read the queues whose calls an extension accepts."""
    return Request(
        "GET",
        _extension_path(account_id, [extension_id], "call-queue-presence"),
        "Light",
        ExtensionCallQueuePresenceList,
        _flags(editable_member_status=editable_member_status),
    )


def update_extension_call_queue_presence(
    account_id: Id, extension_id: Id, body: object
) -> Request[ExtensionCallQueuePresenceList]:
    """Build the request to update the queues whose calls an extension accepts."""
    path = _extension_path(account_id, [extension_id], "call-queue-presence")
    body_class = ExtensionCallQueueUpdatePresenceList
    return _write("PUT", path, ExtensionCallQueuePresenceList, body_class, body)


def read_unified_presence(account_id: Id, extension_ids: Sequence[Id]) -> Request[UnifiedPresence]:
    """Build the request to read the unified presence of one extension, or of several."""
    path = _extension_path(account_id, extension_ids, "unified-presence")
    return Request("GET", path, "Medium", UnifiedPresence)


def update_unified_presence(
    account_id: Id, extension_id: Id, body: object
) -> Request[UnifiedPresence]:
    """Build the request to update the unified presence of one extension."""
    path = _extension_path(account_id, [extension_id], "unified-presence")
    return _write("PATCH", path, UnifiedPresence, UpdateUnifiedPresence, body)


# CONNECT asks for a tunnel; a response to TRACE repeats the access token.
_REFUSED_METHODS = frozenset({"CONNECT", "TRACE"})


def custom_request(
    method: str,
    path: str,
    params: Mapping[str, str | int | bool | None] | None = None,
    json: Any = None,
) -> Request[Any]:
    """Build a request to any other endpoint; see `PresenceSession.request`.

    Raises:
        UsageError: an argument is wrong.
    """
    if not is_path(path):
        raise UsageError("path must begin with /restapi/, percent-encoded and without a query")
    is_word = isinstance(method, str) and method.isascii() and method.isalpha()
    if not is_word or method.upper() in _REFUSED_METHODS:
        raise UsageError("method must be an HTTP method, such as GET; not CONNECT or TRACE")
    query = _query({} if params is None else params)
    body = None if json is None else decoding.dump(json)
    headers = {} if json is None else {"content-type": JSON}
    # The group of other paths is not known before their first response.
    group = "Auth" if path.startswith("/restapi/oauth/") else ""
    return Request(method.upper(), path, group, object, query, body, headers)


def _query(params: object) -> tuple[tuple[str, str], ...]:
    items = params.items() if isinstance(params, Mapping) else [("", object())]
    for name, value in items:
        if type(name) is not str or type(value) not in (str, int, bool, NoneType):
            raise UsageError("params must map str to str, int, bool or None")
    try:
        return tuple(
            (name, str(value).lower() if isinstance(value, bool) else str(value))
            for name, value in items
            if value is not None
        )
    except ValueError:
        raise UsageError("params has an int with too many digits") from None
