"""What only the handler of aiohttp.web does; the rest is in test_receiver."""

from typing import Any

from tests.support.clocks import idle
from tests.support.webhook_calls import Receiver, notification, served


async def test_a_body_that_a_middleware_has_read_is_not_lost() -> None:
    async def handler(request: Any) -> Any:
        await request.read()
        return await receiver.handler(request)

    async with Receiver() as receiver, served(handler) as caller:
        assert (await caller.post(notification())).status == 200
        assert (await caller.post(notification("u-2"), token="no")).status == 401
        await idle()
        assert receiver.uuids == ["u-1"]
