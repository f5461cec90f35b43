"""Counters of what a session does."""

import attrs


@attrs.define
class Stats:
    """Counters of a session since it was made. Read them at any time; they only grow.

    Attributes:
        requests: attempts to send a request, also those for which there was no connection; token
            requests are not counted.
        items: ids answered by bulk calls, with a value or an error.
        batches: responses to the batches of bulk reads; a batch may have a single id.
        pages: pages of an account's presence that were read.
        retries: requests sent again by the session after an error.
        waits: requests that the limits held back at the head of their queue.
        seconds_waited: seconds for which they did, so that nothing of that group was sent.
        rate_limited: responses with status 429.
        token_requests: requests for a token.
        connections: connections made for events.
        events: notifications received, each counted once.
        resyncs: times that events may have been lost.
    """

    requests: int = 0
    items: int = 0
    batches: int = 0
    pages: int = 0
    retries: int = 0
    waits: int = 0
    seconds_waited: float = 0.0
    rate_limited: int = 0
    token_requests: int = 0
    connections: int = 0
    events: int = 0
    resyncs: int = 0
