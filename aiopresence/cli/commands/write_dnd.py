"""`set --dnd on` and `--dnd off`: do-not-disturb, and back to the setting before it.

RingCentral does not keep the setting before, so it is kept in a file of the state directory, by the
URL of the extension. On another computer, or if the file is lost, it is not known.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..console import print_notice
from ..files import read_text, replace_text
from ..logins import create_state_directory
from ..settings import state_directory
from .write_options import Dnd

if TYPE_CHECKING:
    from ... import GetPresenceInfo, PresenceInfoRequest

# The extensions whose settings are kept, the latest ones. A guess.
MAX_KEPT = 1000
# As text: the records have another enum with this value.
_NO_CALLS: str = Dnd.DO_NOT_ACCEPT_ANY_CALLS.value
_FIELDS = ("dnd_status", "dnd_status_personal", "accept_call_queue_calls")


def with_dnd(fields: Mapping[str, Any], before: "GetPresenceInfo") -> dict[str, Any]:
    """Return the fields to send, with the values that "on" and "off" have for an extension.

    Args:
        fields: the fields as they were passed.
        before: the present presence of the extension.
    """
    dnd = fields["dnd_status"]
    if dnd == Dnd.ON:
        return {**fields, "dnd_status": _NO_CALLS}
    if dnd != Dnd.OFF:
        return dict(fields)
    given = {name: value for name, value in fields.items() if name != "dnd_status"}
    if before.dnd_status != _NO_CALLS:
        print_notice(f"Do-not-disturb is not on: dndStatus is {before.dnd_status}.")
        return given
    saved = _load(before)
    if saved is None:
        print_notice("The setting before is not known on this computer: accepting all calls.")
        return {**given, "dnd_status": Dnd.TAKE_ALL_CALLS.value}
    kept = {name: getattr(saved, name) for name in _FIELDS if given.get(name) is None}
    return {**given, **kept}


def remember_dnd(sent: "PresenceInfoRequest", before: "GetPresenceInfo") -> None:
    """Keep the setting before do-not-disturb if that was sent; drop it if another one was.

    Args:
        sent: the fields that were sent.
        before: the presence before that.
    """
    if sent.dnd_status is None:
        return
    saved = None
    if sent.dnd_status == _NO_CALLS:
        if before.dnd_status == _NO_CALLS:
            return
        saved = _setting(before)
    try:
        _save(before, saved)
    except OSError as error:
        print_notice(f"aiopresence: the setting before is not kept: {error.strerror}")


def _setting(before: "GetPresenceInfo") -> dict[str, Any]:
    """Return the setting of do-not-disturb as JSON, without what cannot be set."""
    from ... import PresenceInfoRequest, to_dict

    values = {name: getattr(before, name) for name in _FIELDS}
    settable = {*Dnd, None, True, False}
    return to_dict(PresenceInfoRequest(**{n: v for n, v in values.items() if v in settable}))


def _load(presence: "GetPresenceInfo") -> "PresenceInfoRequest | None":
    """Return the kept setting of an extension; None if there is none."""
    from ... import DecodeError, PresenceInfoRequest, from_dict

    values = _all().get(_key(presence))
    try:
        return from_dict(PresenceInfoRequest, values) if values else None
    except DecodeError:
        return None


def _save(presence: "GetPresenceInfo", setting: Mapping[str, Any] | None) -> None:
    key, kept = _key(presence), _all()
    if not key or (setting is None and key not in kept):
        return
    kept.pop(key, None)
    if setting is not None:
        kept[key] = setting
    create_state_directory()
    replace_text(_path(), json.dumps(dict([*kept.items()][-MAX_KEPT:])))


def _all() -> dict[str, Any]:
    try:
        kept = json.loads(read_text(_path()))
    except (OSError, ValueError, RecursionError):
        return {}
    return kept if isinstance(kept, dict) else {}


def _key(presence: "GetPresenceInfo") -> str:
    return (presence.extension and presence.extension.uri) or ""


def _path() -> Path:
    return state_directory() / "do-not-disturb.json"
