"""ConnectionDetails, the first frame of the gateway on a connection.

Source: RingCentral guide, "WebSockets".
"""

from contextlib import suppress
from datetime import datetime
from typing import Any

import attrs

from ..errors import DecodeError
from . import decoding


@attrs.frozen
class ConnectionDetails:
    """The limits of a connection; the defaults are those that RingCentral documents.

    Attributes:
        recovery_buffer_size: the number of missed notifications that are replayed at most.
        recovery_timeout: seconds after a disconnect until which the session can be recovered.
        idle_timeout: seconds without a request from us after which the gateway closes it.
        absolute_timeout: seconds after which the gateway closes it in any case.
        creation_time: when it was made, by the gateway's clock; None if the gateway did not say.
        recovery_state: whether the lost session was recovered; None if that was not requested.
    """

    recovery_buffer_size: int = 100
    recovery_timeout: int = 180
    idle_timeout: int = 1800
    absolute_timeout: int = 86400
    creation_time: datetime | None = None
    recovery_state: str | None = None

    @property
    def is_recovered(self) -> bool:
        """Whether the gateway has recovered the lost session."""
        return str(self.recovery_state).lower() == "successful"


def parse(body: Any) -> ConnectionDetails:
    """Parse the body of ConnectionDetails. A value that makes no sense counts as absent."""
    fields = parse_fields(body, ConnectionDetails).items()
    usable = {name: v for name, v in fields if v and (not isinstance(v, int) or v > 0)}
    return ConnectionDetails(**usable)


def parse_fields(body: Any, cls: type[Any]) -> dict[str, Any]:
    """Parse the fields of a record one by one, and leave out those that cannot be parsed."""
    values = body if isinstance(body, dict) else {}
    parsed = {}
    for field in attrs.fields(cls):
        name = decoding.camel(field.name)
        with suppress(DecodeError, KeyError):
            record = decoding.structure({name: values[name]}, cls)
            parsed[field.name] = getattr(record, field.name)
    return parsed
