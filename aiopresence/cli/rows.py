"""How the presence of extensions looks in a table, in CSV and in JSON."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

from .columns import Column
from .output import plain

if TYPE_CHECKING:
    from .. import ActiveCallInfo, GetPresenceInfo, Outcome

_NAME = Column(24, least=14, heading="name")
_CALLS = Column(44, least=12, drop=2, heading="calls")
COLUMNS = {
    "id": Column(12),
    "extensionNumber": Column(6, heading="number"),
    "presenceStatus": Column(9, heading="presence"),
    "telephonyStatus": Column(13, heading="telephony"),
    "userStatus": Column(9, drop=4, heading="user"),
    "dndStatus": Column(26, least=19, drop=1, heading="dnd"),
    "message": Column(30, least=12, drop=3),
    "error": Column(0),
}


@attrs.frozen
class Presences:
    """How to show outcomes.

    Attributes:
        names: names by id, for a column with them; None for no such column.
        detailed: whether there is a column with the calls.
    """

    names: Mapping[str, str] | None = None
    detailed: bool = False

    @property
    def columns(self) -> dict[str, Column]:
        """The columns of a table or CSV."""
        columns = dict(COLUMNS)
        error = columns.pop("error")
        if self.names is not None:
            first = {name: columns.pop(name) for name in ("id", "extensionNumber")}
            columns = {**first, "name": _NAME, **columns}
        if self.detailed:
            columns["activeCalls"] = _CALLS
        return {**columns, "error": error}

    def row(self, outcome: "Outcome[GetPresenceInfo]") -> list[Any]:
        """Give the cells of one extension."""
        cells = {"id": outcome.id, "name": self._name(outcome), "error": outcome.error}
        if outcome.value is not None:
            cells |= _cells(outcome.value)
        return [cells.get(name) for name in self.columns]

    def document(self, outcome: "Outcome[Any]") -> dict[str, Any]:
        """Give the JSON of one extension."""
        document = outcome_document(outcome)
        name = self._name(outcome)
        return document if name is None else {"id": document.pop("id"), "name": name, **document}

    def _name(self, outcome: "Outcome[GetPresenceInfo]") -> str | None:
        if self.names is None:
            return None
        extension = outcome.value and outcome.value.extension
        return self.names.get((extension and extension.id) or outcome.id)


def _cells(presence: "GetPresenceInfo") -> dict[str, Any]:
    return {
        "extensionNumber": presence.extension and presence.extension.extension_number,
        "presenceStatus": presence.presence_status,
        "telephonyStatus": presence.effective_telephony_status,
        "userStatus": presence.user_status,
        "dndStatus": presence.effective_dnd_status,
        "message": presence.message,
        "activeCalls": "; ".join(_call(call) for call in presence.active_calls or ()),
    }


def _call(call: "ActiveCallInfo") -> str:
    other = call.to if call.direction == "Outbound" else call.from_
    return " ".join(str(plain(each)) for each in (call.telephony_status, call.direction, other))


def outcome_document(outcome: "Outcome[Any]", key: str = "presence") -> dict[str, Any]:
    """Give the JSON of one outcome: the id, and what was read or why nothing was."""
    if outcome.value is not None:
        return {"id": outcome.id, key: plain(outcome.value)}
    return {"id": outcome.id, "error": error_document(outcome.error)}


def error_document(error: Any) -> dict[str, Any]:
    """Give the JSON of an error."""
    fields = {
        "type": type(error).__name__,
        "httpStatus": getattr(error, "http_status", None),
        "errorCode": getattr(error, "error_code", None),
        "message": str(error),
    }
    return {name: value for name, value in fields.items() if value is not None}
