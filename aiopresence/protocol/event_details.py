"""What the gateway says of a connection in its first frame, ConnectionDetails.

Source: RingCentral guide, "WebSockets".
"""

from contextlib import suppress
from datetime import datetime
from typing import Any

import attrs

from ..errors import DecodeError
from . import decoding


@attrs.frozen
class Terms:
    """The terms of a connection; by default, what RingCentral documents.

    Attributes:
        recovery_buffer_size: how many missed notifications are replayed at most.
        recovery_timeout: seconds after which a lost connection cannot be continued.
        idle_timeout: seconds without a frame from us after which it is ended.
        absolute_timeout: seconds that it may last at all.
        creation_time: when it was made, by the gateway's clock.
        recovery_state: whether it continues a lost one; None when that was not asked for.
    """

    recovery_buffer_size: int = 100
    recovery_timeout: int = 180
    idle_timeout: int = 1800
    absolute_timeout: int = 86400
    creation_time: datetime | None = None
    recovery_state: str | None = None

    @property
    def is_recovered(self) -> bool:
        """Whether the gateway says that this connection continues the lost one."""
        return str(self.recovery_state).lower() == "successful"


def parse(body: Any) -> Terms:
    """Parse the body of ConnectionDetails. A value that makes no sense counts as absent."""
    good = readable(body, Terms).items()
    return Terms(**{k: v for k, v in good if v and (not isinstance(v, int) or v > 0)})


def readable(body: Any, cls: type[Any]) -> dict[str, Any]:
    """Parse the fields of a record one by one, so that a wrong one hides no other."""
    given = body if isinstance(body, dict) else {}
    good = {}
    for field in attrs.fields(cls):
        name = decoding.camel(field.name)
        with suppress(DecodeError, KeyError):
            good[field.name] = getattr(decoding.structure({name: given[name]}, cls), field.name)
    return good
