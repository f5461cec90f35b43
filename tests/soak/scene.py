"""Who takes part: the accounts, their servers, and what is done with them."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import attrs

from aiopresence import FileTokenStore, GroupLimits, PresenceSession
from aiopresence.sandbox import Sandbox
from tests.support.independent.server import IndependentServer

from . import boards, other, reads, sandboxes, schedule, shared, streams, writes
from .accounts import Account, Inject
from .activity import Activity
from .leaks import Tasks
from .tally import Tallies

Run = Callable[[Activity], Any]

PLENTY = {"Light": 500, "Medium": 500, "Heavy": 500, "Auth": 100}
TIGHT = {"Light": 6, "Medium": 6, "Heavy": 2, "Auth": 5}
SHARED = {"Light": 12, "Medium": 10, "Heavy": 3, "Auth": 10}
OTHER = {"Light": 40, "Medium": 20, "Heavy": 5, "Auth": 20}
# The file of a login, which stays.
TOKENS = "tokens.json"
# A minute of the rate limits, in seconds.
WINDOW = 1.0
# Changes of extensions per second, by account.
RATES = {"reads": 20.0, "tight": 10.0, "live": 10.0, "shared": 10.0, "patient": 1.0, "other": 10.0}


@attrs.define
class Scene:
    """All accounts and activities.

    Attributes:
        tallies: what is counted.
        tasks: which activity has created each task.
        accounts: by name.
        activities: by name.
        running: the task of each activity.
        workers: the processes that share an account; None without Redis.
    """

    tallies: Tallies
    tasks: Tasks
    seed: int
    accounts: dict[str, Account] = attrs.field(factory=dict)
    activities: dict[str, Activity] = attrs.field(factory=dict)
    running: dict[str, "asyncio.Task[None]"] = attrs.field(factory=dict)
    changing: list["asyncio.Task[None]"] = attrs.field(factory=list)
    workers: shared.Shared | None = None

    def add(self, account: Account, faults: Mapping[str, Inject]) -> Account:
        """Add an account, with the faults that it can have."""
        account.faults = faults
        self.accounts[account.name] = account
        task = self.tasks.start("changes", account.change(RATES[account.name]))
        self.changing.append(task)
        return account

    def start(self, name: str, account: Account, session: PresenceSession, run: Run) -> None:
        """Start an activity, which regards some marks: see `Activity`."""
        chance = random.Random(f"{self.seed} {name}")  # noqa: S311 - the same for each seed
        activity = Activity(name, account, session, self.tallies.of(name), run, chance)
        activity.can = _CAN.get(run, frozenset())
        self.activities[name] = activity
        self.running[name] = self.tasks.start(name, run(activity))

    @property
    def possible(self) -> dict[str, list[str]]:
        """The kinds of faults that each account can have."""
        return {name: [*account.faults] for name, account in self.accounts.items()}

    def of(self, account: Account) -> list[Activity]:
        return [each for each in self.activities.values() if each.account is account]


_CALLS = frozenset({"to_cancel"})
# The marks that each kind of activity regards.
_CAN: Mapping[Run, frozenset[str]] = {
    reads.read_lists: _CALLS,
    reads.iterate: _CALLS,
    reads.read_singly: _CALLS,
    writes.write_singly: _CALLS,
    writes.write_many: _CALLS,
    streams.receive_webhooks: frozenset({"to_refuse", "to_lose"}),
    boards.serve_dashboard: frozenset({"to_disconnect"}),
}


def _mark(scene: Scene, attribute: str, account: Account, chance: random.Random) -> None:
    """Let an activity of an account do something to itself, such as cancel its next call."""
    able = [each for each in scene.of(account) if attribute in each.can]
    chosen = chance.choice(able)
    setattr(chosen, attribute, getattr(chosen, attribute) + 1)


def _marks(scene: Scene, **kinds: str) -> dict[str, Inject]:
    return {kind: partial(_mark, scene, attribute) for attribute, kind in kinds.items()}


@asynccontextmanager
async def scene(tallies: Tallies, seed: int, folder: Path) -> AsyncIterator[Scene]:
    """Open all accounts, and start all activities."""
    made = Scene(tallies, Tasks(), seed)
    async with AsyncExitStack() as stack:
        try:
            await _reads(made, stack)
            await _tight(made, stack, folder)
            await _live(made, stack)
            await _patient(made, stack)
            await _other(made, stack)
            if shared.is_available():
                await _shared(made, stack)
            yield made
        finally:
            await _cancel([*made.running.values(), *made.changing])


async def _cancel(tasks: list["asyncio.Task[None]"]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _sandbox(
    made: Scene,
    stack: AsyncExitStack,
    name: str,
    faults: Mapping[str, Inject],
    limits: Mapping[str, int],
    extensions: int,
    writable: int = 0,
) -> Account:
    sandbox = await stack.enter_async_context(Sandbox(extensions, window=WINDOW, limits=limits))
    account = sandboxes.new_account(name, sandbox, made.tallies, made.seed, writable=writable)
    return made.add(account, faults)


async def _session(stack: AsyncExitStack, account: Account, **options: Any) -> PresenceSession:
    """Open a session that is patient, as requests meet many faults."""
    options = {"timeout": 10.0, "attempts": 6, **options}
    session = PresenceSession(account.grant, server=account.server.url, **options)
    return await stack.enter_async_context(session)


async def _reads(made: Scene, stack: AsyncExitStack) -> None:
    marks = _marks(made, to_cancel=schedule.CANCEL)
    faults = {**sandboxes.HTTP, sandboxes.EXPIRE: sandboxes.expire_tokens, **marks}
    account = await _sandbox(made, stack, "reads", faults, PLENTY, 110, writable=12)
    multipart = await _session(stack, account)
    array = await _session(stack, account, batch_format="json")
    made.start("lists", account, multipart, reads.read_lists)
    made.start("lists, JSON", account, array, reads.read_lists)
    made.start("iteration", account, array, reads.iterate)
    made.start("single reads", account, multipart, reads.read_singly)
    made.start("single writes", account, multipart, writes.write_singly)
    made.start("many writes", account, array, writes.write_many)
    made.start("polls", account, multipart, streams.poll)


async def _tight(made: Scene, stack: AsyncExitStack, folder: Path) -> None:
    marks = _marks(made, to_cancel=schedule.CANCEL)
    account = await _sandbox(made, stack, "tight", {**sandboxes.HTTP, **marks}, TIGHT, 50)
    store = FileTokenStore(folder / TOKENS)
    session = await _session(stack, account, token_store=store)
    made.start("lists, low limits", account, session, reads.read_lists)
    made.start("reads, low limits", account, session, reads.read_singly)
    made.start("polls, low limits", account, session, streams.poll)


async def _live(made: Scene, stack: AsyncExitStack) -> None:
    marks = _marks(
        made,
        to_refuse=schedule.REFUSE,
        to_lose=schedule.LOSE,
        to_disconnect=schedule.DISCONNECT,
    )
    faults = {**sandboxes.GATEWAY, sandboxes.EXPIRE: sandboxes.expire_tokens, **marks}
    account = await _sandbox(made, stack, "live", faults, PLENTY, 60)
    session = await _session(stack, account)
    made.start("events", account, session, streams.follow_events)
    made.start("board", account, session, boards.keep_board)
    made.start("boards opened", account, session, boards.open_boards)
    made.start("dashboard", account, session, boards.serve_dashboard)
    made.start("webhooks", account, session, streams.receive_webhooks)


async def _patient(made: Scene, stack: AsyncExitStack) -> None:
    faults = {sandboxes.MINUTE: sandboxes.forget_retry_after}
    account = await _sandbox(made, stack, "patient", faults, PLENTY, 5)
    made.start("reads after a 429", account, await _session(stack, account), reads.keep_still)


async def _other(made: Scene, stack: AsyncExitStack) -> None:
    server = IndependentServer(40, seed=made.seed, limits=OTHER, window=WINDOW)
    await stack.enter_async_context(server)
    account = other.new_account("other", server, made.tallies, made.seed)
    made.add(account, {**other.FAULTS, **_marks(made, to_cancel=schedule.CANCEL)})
    # Token responses do not state the limit of their group.
    auth = {"Auth": GroupLimits(OTHER["Auth"], WINDOW)}
    session = await _session(stack, account, limits=auth)
    made.start("lists, other server", account, session, reads.read_lists)
    made.start("reads, other server", account, session, reads.read_singly)
    made.start("polls, other server", account, session, streams.poll)
    made.start("events, other server", account, session, streams.follow_events)
    made.start("board, other server", account, session, boards.keep_board)


async def _shared(made: Scene, stack: AsyncExitStack) -> None:
    account = await _sandbox(made, stack, "shared", {}, SHARED, 40)
    made.workers = await stack.enter_async_context(
        shared.sharing(account, limits=SHARED, window=WINDOW)
    )
    redis = {kind: partial(shared.inject, kind, made.workers) for kind in shared.REDIS}
    account.faults = {**sandboxes.HTTP, **redis}
