"""Event filters: which ones a subscription may have, and what they mean."""

import re
from typing import Literal
from urllib.parse import parse_qsl

import attrs

from .account import Account

Kind = Literal["presence", "line", "line_presence", "favorite", "dnd", "queue"]

_ROOT = r"/restapi/v1\.0/account/(?P<account>~|[0-9]+)"
_TAILS: dict[Kind, str] = {
    "presence": r"(?:/extension/(?P<target>~|[0-9]+))?/presence",
    "line": r"/extension/(?P<target>~|[0-9]+)/presence/line",
    "line_presence": r"/extension/(?P<target>~|[0-9]+)/presence/line/presence",
    "favorite": r"/extension/(?P<target>~|[0-9]+)/favorite/presence",
    "dnd": r"/extension/(?P<target>~|[0-9]+)/presence/dnd",
    "queue": r"/call-queues/(?P<target>[0-9]+)/presence",
}
_PATTERNS = {kind: re.compile(_ROOT + tail) for kind, tail in _TAILS.items()}
# That filters on lines and favorites take these too is a guess.
_WITH_FLAGS = {"presence", "line_presence", "favorite"}
_FLAGS = {"detailedTelephonyState", "sipData"}


@attrs.frozen
class Filter:
    """A valid event filter.

    Attributes:
        text: the filter as the client wrote it.
        resolved: the filter with ids in place of `~`.
        kind: the kind of its events.
        target: the id of the extension or queue; None for the whole account.
        detailed: whether events have activeCalls.
        sip: whether these have sipData.
    """

    text: str
    resolved: str
    kind: Kind
    target: str | None
    detailed: bool
    sip: bool

    @property
    def permissions(self) -> tuple[str, ...]:
        """The permissions that the caller needs."""
        account = self.target is None or self.kind == "dnd"
        return ("ReadAccounts", "ReadPresence") if account else ("ReadPresence",)


def parse(account: Account, text: object) -> Filter | None:
    """Parse an event filter; None for one that is not valid in this account."""
    if not isinstance(text, str):
        return None
    path, mark, query = text.partition("?")
    found = ((kind, pattern.fullmatch(path)) for kind, pattern in _PATTERNS.items())
    kind, match = next(((kind, match) for kind, match in found if match), (None, None))
    if kind is None or match is None:
        return None
    flags = _flags(query) if mark else {}
    if flags is None or (flags and kind not in _WITH_FLAGS):
        return None
    target = match["target"]
    target = account.caller.id if target == "~" else target
    if match["account"] not in ("~", account.id) or not _exists(account, kind, target):
        return None
    sip = flags.get("sipData", False)
    detailed = sip or flags.get("detailedTelephonyState", False)
    return Filter(text, _resolved(account, text), kind, target, detailed, sip)


def _flags(query: str) -> dict[str, bool] | None:
    pairs = parse_qsl(query, keep_blank_values=True)
    if not all(name in _FLAGS and value in ("true", "false") for name, value in pairs):
        return None
    return {name: value == "true" for name, value in pairs}


def _exists(account: Account, kind: Kind, target: str | None) -> bool:
    if target is None:
        return True
    return target in (account.queues if kind == "queue" else account.extensions)


def _resolved(account: Account, text: str) -> str:
    text = text.replace("/account/~/", f"/account/{account.id}/")
    return text.replace("/extension/~/", f"/extension/{account.caller.id}/")


def most_detailed(filters: list[Filter]) -> list[Filter]:
    """Return, of filters of one kind and target, the most detailed one: only it gets events."""
    best: dict[tuple[Kind, str | None], Filter] = {}
    for each in sorted(filters, key=lambda each: (each.detailed, each.sip)):
        best[each.kind, each.target] = each
    return list(best.values())
