"""Active calls: plain JSON objects with every field that RingCentral sends for one."""

import random
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any

from ..errors import UsageError
from . import fake_people
from .account import Extension

MOST = 7  # RingCentral lists the seven latest calls of an extension
_OPENING = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)  # any working day: seeded calls start on it


def some_time(rng: random.Random) -> datetime:
    """Pick a time of the working day that the sandbox opens on, the same for the same seed."""
    return _OPENING + timedelta(seconds=rng.randrange(9 * 3600))


def add_call(
    rng: random.Random,
    extension: Extension,
    status: str,
    start: datetime,
    from_: str | None = None,
) -> None:
    """Add a call to an extension and let its oldest ones go.

    Args:
        rng: where names, numbers and ids come from.
        extension: whose call it is.
        status: its telephonyStatus.
        start: its startTime, an aware datetime.
        from_: the number that calls; None invents a call, which may also be an outgoing one.
    """
    inbound = from_ is not None or status == "Ringing" or rng.random() < 0.6
    call = _call(rng, extension, inbound, from_ or fake_people.phone_number(rng))
    call |= {"telephonyStatus": status, "startTime": _timestamp(rng, start)}
    extension.active_calls = [*extension.active_calls, call][-MOST:]


def set_status(rng: random.Random, extension: Extension, status: str) -> None:
    """Bring the calls of an extension to a telephonyStatus, making a call if there is none.

    Args:
        rng: where an invented call comes from.
        extension: whose calls they are.
        status: the status of every call that has not ended; NoCall ends them. Ended calls stay
            in the list until newer ones push them out, as they do at RingCentral.
    """
    live = [call for call in extension.active_calls if call["telephonyStatus"] != "NoCall"]
    for call in live:
        _set(call, status)
    if not live and status != "NoCall":
        add_call(rng, extension, status, datetime.now(UTC))


def move(extension: Extension, sources: Collection[str], target: str) -> None:
    """Change the status of the latest call that is in one of some statuses.

    Raises:
        UsageError: the extension has no such call.
    """
    for call in reversed(extension.active_calls):
        if call["telephonyStatus"] in sources:
            _set(call, target)
            return
    raise UsageError(f"extension {extension.id} has no call that is {' or '.join(sources)}")


def _set(call: dict[str, Any], status: str) -> None:
    ended = {"terminationType": "final"} if status == "NoCall" else {}
    call |= {"telephonyStatus": status, **ended}


def _timestamp(rng: random.Random, moment: datetime) -> str:
    # RingCentral writes the same moment both ways, so a client has to read both.
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
