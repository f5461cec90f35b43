"""Which redirects the listener of a browser login accepts."""

import pytest
from aiohttp.test_utils import make_mocked_request

from aiopresence import UsageError
from aiopresence.cli.browser_login import Callback

STATE = "the-state-of-this-login-0123"


async def answer(callback: Callback, query: str) -> int:
    return (await callback.handle(make_mocked_request("GET", f"/callback?{query}"))).status


@pytest.mark.parametrize(
    "state",
    [
        "",
        STATE[:-1],
        STATE + "0",
        STATE.upper(),
        STATE.replace("0", "\uff10"),
        "x" * 100_000,
        "\udcff",  # a byte that is not UTF-8, as aiohttp decodes it
        "%ff",
        "%00",
        f"{STATE}%00",
    ],
    ids=lambda state: ascii(state)[:40],
)
async def test_only_the_state_of_the_login_is_accepted(state: str) -> None:
    callback = Callback(STATE)
    assert await answer(callback, f"state={state}&code=foreign") == 400
    assert await answer(callback, "code=foreign") == 400
    assert await answer(callback, f"state={STATE}&code=own") == 200
    assert await answer(callback, f"state={STATE}&code=late") == 200
    assert await callback.code() == "own"


async def test_a_refusal_ends_the_login_and_a_foreign_one_does_not() -> None:
    callback = Callback(STATE)
    assert await answer(callback, "state=x&error=foreign") == 400
    assert await answer(callback, f"state={STATE}&error={'e' * 100}") == 200
    with pytest.raises(UsageError, match=r"refused the login: e{60};"):
        await callback.code()
