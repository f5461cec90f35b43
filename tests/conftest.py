import gc
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator

import pytest
from hypothesis import settings

from aiopresence.sandbox import GatewayPlan, Sandbox
from tests.support.forks import forks
from tests.support.loops import LoopFactories
from tests.support.sessions import PLENTY, Replies, Session
from tests.support.virtual import no_task_is_left

pytest_plugins = ["aiopresence.sandbox.plugin", "tests.support.canaries"]

# A shell starts background jobs with these ignored, and programs started by tests would inherit it.
for _signal in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
    if signal.getsignal(_signal) is signal.SIG_IGN:
        signal.signal(_signal, signal.SIG_DFL)

# Without cached bytecode all tests are compiled again in each run, which takes seconds, and this
# package in each program that a test starts.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# The same few examples on every run, so that what breaks was broken by the change. For a wide
# search: pytest --hypothesis-profile=thorough
settings.register_profile(
    "repeatable", max_examples=25, derandomize=True, deadline=None, database=None
)
settings.register_profile("thorough", max_examples=5000, deadline=None, print_blob=True)
settings.load_profile("repeatable")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("event loops")
    group.addoption("--uvloop", action="store_true", help="run tests on uvloop")
    group.addoption("--eager-tasks", action="store_true", help="start tasks at once (Python 3.12)")


def pytest_configure(config: pytest.Config) -> None:
    uses_uvloop, is_eager = config.getoption("uvloop"), config.getoption("eager_tasks")
    if uses_uvloop or is_eager:
        config.pluginmanager.register(LoopFactories(uses_uvloop, is_eager))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Return how many processes `-n auto` starts: for a third of the time a test waits."""
    return 2 * (os.cpu_count() or 1)


def pytest_collection_finish() -> None:
    """Keep what was collected out of garbage collections, each of which would take 0.3 s."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # Scenarios that run at the same time come first, so that one process gets all of them.
    items.sort(key=lambda item: "together" not in getattr(item, "fixturenames", ()))


@pytest.fixture(scope="session", autouse=True)
def _fast_programs() -> Iterator[None]:
    with forks():
        yield


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    # A session with a skipping clock would not wait for a later replay.
    plan = GatewayPlan(replay_delay=0.0)
    async with Sandbox(extensions=100, limits=PLENTY, gateway=plan) as sandbox:
        yield sandbox


@pytest.fixture
async def session(sandbox: Sandbox) -> AsyncIterator[Session]:
    """A session that does not retry, with a skipping clock."""
    async with Session(sandbox.grant, server=sandbox.url, attempts=1) as session:
        yield session


@pytest.fixture
async def patient(sandbox: Sandbox) -> AsyncIterator[Session]:
    """A session with the default number of attempts, and a skipping clock."""
    async with Session(sandbox.grant, server=sandbox.url) as session:
        yield session


@pytest.fixture
def replies() -> Iterator[Replies]:
    replies = Replies()
    with replies:
        yield replies


@pytest.fixture
async def in_virtual_time(presence_virtual_time: None) -> AsyncIterator[None]:
    """Virtual time for a test, which fails if it leaves a task running."""
    yield
    await no_task_is_left()
