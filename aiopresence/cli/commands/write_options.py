"""The options of the commands that write: one for each field that RingCentral lets users set."""

import re
from enum import StrEnum
from typing import Annotated, Any

import typer


class Status(StrEnum):
    """Values of userStatus that can be set."""

    AVAILABLE = "Available"
    BUSY = "Busy"
    OFFLINE = "Offline"


class Dnd(StrEnum):
    """Values of dndStatus that can be set; on and off are for do-not-disturb, see write_dnd."""

    ON = "on"
    OFF = "off"
    TAKE_ALL_CALLS = "TakeAllCalls"
    DO_NOT_ACCEPT_ANY_CALLS = "DoNotAcceptAnyCalls"
    DO_NOT_ACCEPT_DEPARTMENT_CALLS = "DoNotAcceptDepartmentCalls"


class DndPersonal(StrEnum):
    """Values of dndStatusPersonal that can be set."""

    TAKE_ALL_CALLS = "TakeAllCalls"
    DO_NOT_ACCEPT_ANY_CALLS = "DoNotAcceptAnyCalls"


class CallerId(StrEnum):
    """Values of callerIdVisibility."""

    ALL = "All"
    NONE = "None"
    PERMITTED_USERS = "PermittedUsers"


class GlipVisibility(StrEnum):
    """Values of glip.visibility."""

    VISIBLE = "Visible"
    INVISIBLE = "Invisible"


class GlipAvailability(StrEnum):
    """Values of glip.availability."""

    AVAILABLE = "Available"
    DND = "DND"


class TelephonyAvailability(StrEnum):
    """Values of telephony.availability."""

    TAKE_ALL_CALLS = "TakeAllCalls"
    DO_NOT_ACCEPT_ANY_CALLS = "DoNotAcceptAnyCalls"
    DO_NOT_ACCEPT_QUEUE_CALLS = "DoNotAcceptQueueCalls"


# The longest duration in seconds: a day.
LONGEST = 24 * 3600
_DURATION = re.compile(r"(?:(\d{1,5})h)?(?:(\d{1,5})m)?(?:(\d{1,5})s)?", re.ASCII | re.IGNORECASE)


def parse_duration(text: str) -> int:
    """Return the seconds of a duration such as 45m, 1h30m or 90s.

    Raises:
        BadParameter: it is not one, or not between a second and a day.
    """
    match = _DURATION.fullmatch(text.strip())
    hours, minutes, seconds = (int(part or 0) for part in match.groups()) if match else (0, 0, 0)
    total = hours * 3600 + minutes * 60 + seconds
    if not 1 <= total <= LONGEST:
        raise typer.BadParameter(f"{text!r} is not a duration up to 24h, such as 45m or 1h30m")
    return total


def _choice(name: str, subject: str, values: type[StrEnum]) -> Any:
    """Return an option with one of some values, in upper or lower case."""
    names = ", ".join(values)

    # Not Typer's own choice, whose error lists the values in lower case.
    def parse(text: str) -> StrEnum:
        for value in values:
            if value.lower() == text.lower():
                return value
        raise typer.BadParameter(f"{text!r} is not one of {names}")

    return typer.Option(name, parser=parse, metavar="VALUE", help=f"{subject}: {names}.")


def _switch(name: str, text: str) -> Any:
    return typer.Option(f"--{name}/--no-{name}", help=text)


# Of `set`.
StatusOption = Annotated[Status | None, _choice("--status", "User status", Status)]
DndOption = Annotated[
    Dnd | None,
    _choice("--dnd", "Do-not-disturb (off: back to the setting before), or calls to accept", Dnd),
]
DndPersonalOption = Annotated[
    DndPersonal | None,
    _choice("--dnd-personal", "Which calls to accept, apart from queue calls", DndPersonal),
]
MessageOption = Annotated[
    str | None,
    typer.Option(
        "--message", metavar="TEXT", help="Status message, at most 75 characters; '' clears it."
    ),
]
SeeOption = Annotated[
    bool | None,
    _switch("allow-see-my-presence", "Whether other users can see the presence."),
]
QueueCallsOption = Annotated[
    bool | None, _switch("accept-queue-calls", "Whether to accept calls of call queues.")
]
RingOption = Annotated[
    bool | None, _switch("ring-on-monitored-call", "Whether to ring for calls of monitored lines.")
]
PickUpOption = Annotated[
    bool | None,
    _switch("pick-up-calls-on-hold", "Whether to pick up calls that monitored lines hold."),
]
CallerIdOption = Annotated[
    CallerId | None, _choice("--caller-id-visibility", "Who sees the caller id", CallerId)
]
ForOption = Annotated[
    int | None,
    typer.Option(
        "--for",
        parser=parse_duration,
        metavar="TIME",
        help="Restore the presence after this time, such as 45m or 1h30m, or when interrupted.",
    ),
]
# Of `unified-set`.
GlipVisibilityOption = Annotated[
    GlipVisibility | None,
    _choice("--glip-visibility", "Whether other users see the messaging status", GlipVisibility),
]
GlipAvailabilityOption = Annotated[
    GlipAvailability | None,
    _choice("--glip-availability", "Whether messages cause notifications", GlipAvailability),
]
TelephonyAvailabilityOption = Annotated[
    TelephonyAvailability | None,
    _choice("--telephony-availability", "Which calls to accept", TelephonyAvailability),
]
# Of `queue-set`.
AcceptOption = Annotated[
    bool | None,
    typer.Option("--accept/--no-accept", help="Whether the members accept calls of the queue."),
]
MemberIdsArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="MEMBER_IDS", help="Members of the queue: ids, names or e-mail addresses."
    ),
]
# Of all of them.
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Show what would change, without changing it.")
]
