"""Active calls, as JSON objects with every field that RingCentral sends."""

import random
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any

from ..errors import UsageError
from . import clock, fake_people
from .account import Extension

MAX_CALLS = 7  # RingCentral lists the seven latest calls of an extension
_OPENING = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)  # any working day: the first calls start on it


def some_time(rng: random.Random) -> datetime:
    """Return a random time of one working day, the same for the same seed."""
    return _OPENING + timedelta(seconds=rng.randrange(9 * 3600))


def add_call(
    rng: random.Random,
    extension: Extension,
    status: str,
    start: datetime,
    from_: str | None = None,
) -> None:
    """Add a call to an extension; of more than seven the oldest are removed.

    Args:
        rng: the source of names, numbers and ids.
        extension: the extension.
        status: the telephonyStatus of the call.
        start: its startTime, an aware datetime.
        from_: the number of the caller; None for an invented call, which may be outbound.
    """
    inbound = from_ is not None or status == "Ringing" or rng.random() < 0.6
    call = _call(rng, extension, inbound, from_ or fake_people.phone_number(rng))
    call |= {"telephonyStatus": status, "startTime": _timestamp(rng, start)}
    extension.active_calls = [*extension.active_calls, call][-MAX_CALLS:]


def set_status(rng: random.Random, extension: Extension, status: str) -> None:
    """Set the telephonyStatus of an extension's calls, and add a call if there is none.

    Args:
        rng: the source of an invented call.
        extension: the extension.
        status: the status of all calls that have not ended; NoCall ends them. Ended calls stay
            in the list until newer ones replace them, as at RingCentral.
    """
    live = [call for call in extension.active_calls if call["telephonyStatus"] != "NoCall"]
    for call in live:
        _set(call, status)
    if not live and status != "NoCall":
        add_call(rng, extension, status, clock.utc_now())


def move(extension: Extension, sources: Collection[str], target: str) -> None:
    """Change the status of the latest call that has one of some statuses.

    Raises:
        UsageError: the extension has no such call.
    """
    for call in reversed(extension.active_calls):
        if call["telephonyStatus"] in sources:
            _set(call, target)
            return
    raise UsageError(f"extension {extension.id} has no call with the status {' or '.join(sources)}")


def _set(call: dict[str, Any], status: str) -> None:
    ended = {"terminationType": "final"} if status == "NoCall" else {}
    call |= {"telephonyStatus": status, **ended}


def _timestamp(rng: random.Random, moment: datetime) -> str:
    # RingCentral sends both forms of UTC, so a client must parse both.
    zone = rng.choice(("Z", "+0000"))
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}{zone}"


def _call(
    rng: random.Random, extension: Extension, inbound: bool, other_number: str
) -> dict[str, Any]:
    own = {"number": extension.number, "name": extension.name}
    other = {"number": other_number, "name": fake_people.person(rng)}
    source, target = (other, own) if inbound else (own, other)
    session = f"s-{rng.getrandbits(44):x}z{rng.getrandbits(44):x}"
    return {
        "id": f"{rng.getrandbits(64):016x}",
        "direction": "Inbound" if inbound else "Outbound",
        "queueCall": False,
        "from": source["number"],
        "fromName": source["name"],
        "to": target["number"],
        "toName": target["name"],
        "sipData": _sip_data(rng, extension, other_number, session),
        "sessionId": str(rng.randrange(10**9, 10**12)),
        "telephonySessionId": session,
        "onBehalfOf": extension.id,
        "partyId": f"p-{session.removeprefix('s-')}-2",
        "terminationType": "intermediate",
        "callInfo": {
            "primary": {"type": "CallerIdName", "value": other["name"]},
            "additional": {"type": "CallerIdNumber", "value": other_number},
        },
        "appearanceInfo": {
            "phoneNumber": extension.phone_number,
            "appearanceNumber": rng.randrange(1, 9),
        },
    }


def _sip_data(
    rng: random.Random, extension: Extension, other_number: str, session: str
) -> dict[str, str]:
    return {
        "callId": f"{rng.getrandbits(96):024x}",
        "toTag": f"{rng.getrandbits(40):010x}",
        "fromTag": f"{rng.getrandbits(40):010x}",
        "remoteUri": f"sip:{other_number}@sip.example.com",
        "localUri": f"sip:{extension.phone_number}*{extension.number}@sip.example.com",
        "rcSessionId": session,
    }
