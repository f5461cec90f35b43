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


def test_they_are_there_only_when_asked_for(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_it(presence_sandbox): pass")
    pytester.runpytest_subprocess().assert_outcomes(errors=1)
    pytester.makepyfile(
        "def test_it(presence_sandbox_options): assert presence_sandbox_options == {}"
    )
    result = pytester.runpytest_subprocess("-p", "aiopresence.sandbox.plugin")
    result.assert_outcomes(passed=1)
    project = (Path(__file__).parents[1] / "pyproject.toml").read_text()
    assert "pytest11" not in project
