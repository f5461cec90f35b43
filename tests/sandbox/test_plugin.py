"""The fixtures for other people's tests, in both modes of pytest-asyncio."""

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


@pytest.mark.parametrize("mode", ["auto", "strict"])
def test_the_fixtures_work(pytester: pytest.Pytester, mode: str) -> None:
    pytester.makeconftest('pytest_plugins = ["aiopresence.sandbox.plugin"]')
    text = TESTS if mode == "strict" else TESTS.replace("@pytest.mark.asyncio", "")
    pytester.makepyfile(text)
    options = (f"asyncio_mode={mode}", "asyncio_default_fixture_loop_scope=function")
    result = pytester.runpytest_subprocess("-W", "error", "-o", options[0], "-o", options[1])
    result.assert_outcomes(passed=3)


SCOPES = ["function", "class", "module", "package", "session"]


def run(pytester: pytest.Pytester, text: str, *options: str) -> pytest.RunResult:
    pytester.makeconftest('pytest_plugins = ["aiopresence.sandbox.plugin"]')
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function")
    pytester.makepyfile(text)
    return pytester.runpytest_subprocess("-W", "error", *options)


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


def test_a_synchronous_test_is_told_what_to_use(pytester: pytest.Pytester) -> None:
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


def test_they_are_there_only_when_asked_for(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_it(presence_sandbox): pass")
    pytester.runpytest_subprocess().assert_outcomes(errors=1)
    pytester.makepyfile(
        "def test_it(presence_sandbox_options): assert presence_sandbox_options == {}"
    )
    result = pytester.runpytest_subprocess("-p", "aiopresence.sandbox.plugin")
    result.assert_outcomes(passed=1)
    project = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    assert "pytest11" not in project
