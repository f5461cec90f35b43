"""What the sandbox counts, for tests to look at afterwards."""

import attrs


@attrs.define
class Counters:
    """How often things have happened.

    Attributes:
        rate_limited: 429s sent because of the usage plan; those of faults are not in it.
        in_penalty: requests that arrived inside a penalty, whatever they were answered.
        token_requests: requests that arrived at the token endpoint.
        logins: sessions begun, with a JWT or a code.
        refreshes: refresh tokens taken; one that is taken again in its grace counts again.
    """

    rate_limited: int = 0
    in_penalty: int = 0
    token_requests: int = 0
    logins: int = 0
    refreshes: int = 0
