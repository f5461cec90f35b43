"""The pytest plugin, in both modes of pytest-asyncio."""

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

TESTS = """
    import pytest
    from aiopresence import PresenceSession
    from aiopresence.sandbox import Sandbox

    @pytest.mark.asyncio
    async def test_both(presence_sandbox, presence_session):
        assert isinstance(presence_sandbox, Sandbox)
        assert isinstance(presence_session, PresenceSession)
        assert len(presence_sandbox.extension_ids) == 100
        ids = presence_sandbox.extension_ids * 20
        result = await presence_session.read_user_presence_statuses(ids)
        assert len(result.values) == 100
        await presence_session.read_user_presence_status()

    class TestOptions:
        @pytest.fixture
        def presence_sandbox_options(self):
            return {"extensions": 7, "batch_limit": 2}

        @pytest.mark.asyncio
        async def test_others(self, presence_sandbox):
            assert len(presence_sandbox.extension_ids) == 7

    def test_a_plain_one():
        pass
"""


def run_in_a_process(pytester: pytest.Pytester, *options: str) -> pytest.RunResult:
    """Run pytest without the other plugins that are installed, which take most of the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        plugin = ("-p", "pytest_asyncio.plugin")
        return pytester.runpytest_subprocess(*plugin, *options, *WITHOUT_ASSERT)


@pytest.mark.parametrize("mode", ["auto", "strict"])
def test_the_fixtures_work(pytester: pytest.Pytester, mode: str) -> None:
    pytester.makeconftest('pytest_plugins = ["aiopresence.sandbox.plugin"]')
    text = TESTS if mode == "strict" else TESTS.replace("@pytest.mark.asyncio", "")
    pytester.makepyfile(text)
    options = (f"asyncio_mode={mode}", "asyncio_default_fixture_loop_scope=function")
    result = run_in_a_process(pytester, "-W", "error", "-o", options[0], "-o", options[1])
    result.assert_outcomes(passed=3)


# With `-O`, pytest warns that assertions outside of tests are left out.
WITHOUT_ASSERT = ("-W", "ignore::pytest.PytestConfigWarning")
SCOPES = ["function", "class", "module", "package", "session"]


def run(pytester: pytest.Pytester, text: str, *options: str) -> pytest.RunResult:
    pytester.makeconftest('pytest_plugins = ["aiopresence.sandbox.plugin"]')
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function")
    pytester.makepyfile(text)
    # In this process, which is faster. The plugin is imported already, so pytest cannot rewrite it.
    warnings = ("-W", "error", "-W", "ignore::pytest.PytestAssertRewriteWarning", *WITHOUT_ASSERT)
    in_order = ("-p", "no:randomly")
    return pytester.runpytest_inprocess(*warnings, *in_order, *options)


def test_the_fixtures_work_on_event_loops_of_every_scope(pytester: pytest.Pytester) -> None:
    text = """
        import asyncio
        import pytest

        loops = {}
    """
    for scope in SCOPES:
        text += f"""
        @pytest.mark.asyncio(loop_scope="{scope}")
        class Test_{scope}:
            async def test_one(self, presence_session, presence_sandbox):
                me = await presence_session.read_user_presence_status()
                assert me.extension.id == presence_sandbox.extension_ids[0]
                loops["{scope}"] = asyncio.get_running_loop()

            async def test_two(self, presence_session):
                await presence_session.read_user_presence_status()
                same = loops["{scope}"] is asyncio.get_running_loop()
                assert same == ("{scope}" != "function")
        """
    run(pytester, text, "-o", "asyncio_mode=strict").assert_outcomes(passed=10)


@pytest.mark.parametrize("fixtures", ["function", "session"])
def test_the_fixtures_follow_the_default_loop_scope(
    pytester: pytest.Pytester, fixtures: str
) -> None:
    text = """
        async def test_one(presence_session):
            await presence_session.read_user_presence_status()
    """
    options = ("asyncio_mode=auto", "asyncio_default_test_loop_scope=session")
    more = f"asyncio_default_fixture_loop_scope={fixtures}"
    result = run(pytester, text, *(f"-o{option}" for option in (*options, more)))
    result.assert_outcomes(passed=1)


def test_the_error_in_a_synchronous_test_names_the_other_fixture(pytester: pytest.Pytester) -> None:
    text = """
        import pytest_asyncio

        def test_one(presence_sandbox):
            pass

        @pytest_asyncio.fixture
        async def me(presence_session):
            return await presence_session.read_user_presence_status()

        def test_other(me):
            assert me.extension.id

        def test_two(presence_sandbox_in_thread):
            import urllib.error, urllib.request
            sandbox = presence_sandbox_in_thread
            assert len(sandbox.extension_ids) == 100
            try:
                urllib.request.urlopen(sandbox.url, timeout=5)
            except urllib.error.HTTPError as error:
                assert error.code == 404
            assert [each.status for each in sandbox.requests] == [404]
    """
    result = run(pytester, text)
    result.assert_outcomes(passed=2, errors=1)
    assert "use presence_sandbox_in_thread" in result.stdout.str()


def test_the_fixtures_exist_only_if_the_plugin_is_loaded(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_it(presence_sandbox): pass")
    run_in_a_process(pytester).assert_outcomes(errors=1)
    pytester.makepyfile(
        "def test_it(presence_sandbox_options): assert presence_sandbox_options == {}"
    )
    result = run_in_a_process(pytester, "-p", "aiopresence.sandbox.plugin")
    result.assert_outcomes(passed=1)
    project = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    assert "pytest11" not in project


SESSION_OPTIONS = """
    import pytest
    from aiopresence import ServerError
    from aiopresence.sandbox import Answer

    @pytest.fixture
    def presence_session_options():
        return {"attempts": 1, "account_id": "~"}

    @pytest.mark.asyncio
    async def test_the_session_does_not_retry(presence_sandbox, presence_session):
        fault = presence_sandbox.faults.add(Answer(503), path="/presence", times=None)
        with pytest.raises(ServerError):
            await presence_session.read_user_presence_status()
        assert fault.fired == 1
"""


def test_the_session_takes_the_options_of_an_overridden_fixture(pytester: pytest.Pytester) -> None:
    run(pytester, SESSION_OPTIONS).assert_outcomes(passed=1)


VIRTUAL_TIME = """
    import asyncio
    import time
    from datetime import UTC, datetime, timedelta
    import pytest
    from aiopresence import PresenceSession
    from aiopresence.sandbox import Sandbox

    @pytest.fixture
    def presence_sandbox_options():
        return {"extensions": 20, "window": 60.0, "token_lifetime": 3600.0}

    @pytest.mark.asyncio
    @pytest.mark.usefixtures("presence_virtual_time")
    async def test_a_board_follows_changes_for_hours(presence_session, presence_sandbox):
        loop, began, started = asyncio.get_running_loop(), time.monotonic(), datetime.now(UTC)
        before = loop.time()
        who = presence_sandbox.user_ids[1]
        async with presence_session.board() as board:
            loop.call_later(7_200, presence_sandbox.ring, who, "+12025550101")
            async for change in board.changes():
                if change.id == who and change.old:
                    break
        assert change.new.telephony_status == "Ringing"
        assert change.time - started > timedelta(hours=1)
        assert loop.time() - before >= 2 * 3600
        assert presence_sandbox.counters.refreshes >= 1
        assert presence_sandbox.requests[-1].arrival - before >= 3600
        assert time.monotonic() - began < 60

    @pytest.mark.asyncio
    async def test_the_order_of_fixtures_is_free(
        presence_session, presence_sandbox, presence_virtual_time
    ):
        presence_sandbox.consume("Light", 51)
        await presence_session.read_user_presence_status()
        assert presence_sandbox.requests[-1].status == 200

    @pytest.mark.asyncio
    async def test_sessions_and_sandboxes_of_ones_own_take_part(presence_virtual_time):
        async with Sandbox(3) as sandbox:
            sandbox.consume("Light", 51)
            before = asyncio.get_running_loop().time()
            async with PresenceSession(sandbox.grant, server=sandbox.url) as session:
                await session.read_user_presence_status()
            assert asyncio.get_running_loop().time() - before >= 60

    @pytest.mark.asyncio
    async def test_time_is_real_without_the_fixture():
        before = time.monotonic()
        await asyncio.sleep(0.02)
        assert time.monotonic() - before >= 0.02
"""


@pytest.mark.parametrize("mode", ["auto", "strict"])
def test_hours_pass_in_virtual_time(pytester: pytest.Pytester, mode: str) -> None:
    text = VIRTUAL_TIME
    if mode == "auto":
        text = text.replace("@pytest.mark.asyncio\n", "\n")
    run(pytester, text, "-o", f"asyncio_mode={mode}").assert_outcomes(passed=4)


def test_on_a_shared_loop_time_is_virtual_for_one_test_and_never_goes_back(
    pytester: pytest.Pytester,
) -> None:
    text = """
        import asyncio
        import time
        import pytest

        times = []
        pytestmark = pytest.mark.asyncio(loop_scope="module")

        async def test_real():
            times.append(asyncio.get_running_loop().time())

        async def test_virtual(presence_virtual_time):
            await asyncio.sleep(3600)
            times.append(asyncio.get_running_loop().time())

        async def test_real_again():
            times.append(asyncio.get_running_loop().time())
            assert times == sorted(times)
            assert times[1] - times[0] >= 3600
            before = time.monotonic()
            await asyncio.sleep(0.02)
            assert time.monotonic() - before >= 0.02

        async def test_virtual_again(presence_virtual_time):
            await asyncio.sleep(3600)
            assert asyncio.get_running_loop().time() - times[-1] >= 3600
    """
    run(pytester, text).assert_outcomes(passed=4)


def test_a_fixture_of_the_session_is_set_up_once_beside_tests_in_virtual_time(
    pytester: pytest.Pytester,
) -> None:
    text = """
        import pytest
        import pytest_asyncio

        calls = []

        @pytest_asyncio.fixture(scope="session", loop_scope="session")
        async def shared():
            calls.append(1)

        @pytest.mark.asyncio
        async def test_one(shared):
            pass

        @pytest.mark.asyncio
        async def test_two(presence_virtual_time):
            pass

        @pytest.mark.asyncio
        async def test_three(shared):
            assert calls == [1]
    """
    run(pytester, text).assert_outcomes(passed=3)
