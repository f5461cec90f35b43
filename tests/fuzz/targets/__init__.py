"""The targets, by name. Each takes any bytes, and raises only if a check fails."""

from collections.abc import Callable

from tests.fuzz.targets.addresses import addresses, ids_and_paths
from tests.fuzz.targets.batches import array, multipart, raw_multipart
from tests.fuzz.targets.boards import board_events
from tests.fuzz.targets.errors import error_bodies
from tests.fuzz.targets.events import gateway_texts
from tests.fuzz.targets.headers import rate_limit_headers
from tests.fuzz.targets.listings import account_pages, directory_pages, lookups
from tests.fuzz.targets.records import outcomes, records
from tests.fuzz.targets.shared import board_states, limit_replies
from tests.fuzz.targets.tokens import stored_tokens, token_responses, websocket_tokens
from tests.fuzz.targets.webhooks import webhook_calls
from tests.fuzz.targets.wire import http_responses, websocket_bytes

Target = Callable[[bytes], None]

TARGETS: dict[str, Target] = {
    target.__name__: target
    for target in (
        *(multipart, array, raw_multipart, error_bodies),
        *(token_responses, stored_tokens, websocket_tokens),
        *(gateway_texts, webhook_calls, addresses, ids_and_paths),
        *(account_pages, directory_pages, lookups, rate_limit_headers),
        *(board_events, board_states, limit_replies, records, outcomes),
        *(http_responses, websocket_bytes),
    )
}
