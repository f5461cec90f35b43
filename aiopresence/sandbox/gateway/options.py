"""The options of the WebSocket gateway."""

import attrs

from .. import argument_checks


@attrs.frozen(kw_only=True)
class GatewayPlan:
    """How the gateway behaves. The defaults are RingCentral's; times are in seconds.

    Attributes:
        recovery_buffer_size: how many of its latest notifications a session keeps.
        recovery_timeout: how long a session outlives its connection.
        idle_timeout: how long a connection stays open without a frame from the client. Ping
            frames do not count. That notifications do not count either is a guess.
        replay_delay: how long after ConnectionDetails a recovery sends the missed notifications,
            and all frames after them; a frame from the client ends the delay. RingCentral's own
            client loses what it reads together with ConnectionDetails. The default is a guess.
        absolute_timeout: how long a session lasts at most.
        max_connections: the number in ConnectionDetails. It is not enforced: a session of the
            sandbox has one connection, the latest.
        max_active_requests: the number in ConnectionDetails. It is not enforced.
        wsc_everywhere: whether every notification has a recovery token (`wsc`); if False, only
            ConnectionDetails has one.
        wstoken_lifetime: how long a WebSocket token is accepted.
        wstoken_single_use: whether a WebSocket token is accepted only once. The guide says so, but
            RingCentral's own client uses a token again until it has nearly expired.
        errors_as_answers: whether the response to a refused request has the type ClientRequest
            instead of Error.

    Raises:
        UsageError: a time is not a positive number (replay_delay may be 0), a number is below 0,
            or a value has the wrong type.
    """

    recovery_buffer_size: int = 100
    recovery_timeout: float = 180.0
    idle_timeout: float = 1800.0
    replay_delay: float = 0.05
    absolute_timeout: float = 86400.0
    max_connections: int = 5
    max_active_requests: int = 10
    wsc_everywhere: bool = True
    wstoken_lifetime: float = 30.0
    wstoken_single_use: bool = False
    errors_as_answers: bool = False

    def __attrs_post_init__(self) -> None:
        for field in attrs.fields(type(self)):
            value = getattr(self, field.name)
            if isinstance(field.default, bool):
                argument_checks.flag(field.name, value)
            elif isinstance(field.default, int):
                argument_checks.whole(field.name, value)
            else:
                argument_checks.seconds(field.name, value, zero=field.name == "replay_delay")
