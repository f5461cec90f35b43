import asyncio
import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from aiopresence import FileTokenStore, MemoryTokenStore, TokenStore, UsageError

ONE, TWO = {"access_token": "one"}, {"access_token": "two"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tokens.json"


@pytest.fixture(params=["memory", "file"])
def store(request: pytest.FixtureRequest, path: Path) -> TokenStore:
    return MemoryTokenStore() if request.param == "memory" else FileTokenStore(path)


async def test_what_is_saved_is_loaded_and_keys_do_not_mix(store: TokenStore) -> None:
    assert await store.load("a") is None
    await store.save("a", ONE)
    await store.save("b", TWO)
    assert (await store.load("a"), await store.load("b")) == (ONE, TWO)
    await store.save("a", None)
    await store.save("c", None)
    assert (await store.load("a"), await store.load("b")) == (None, TWO)


async def test_a_lock_is_held_by_one_at_a_time(store: TokenStore) -> None:
    order: list[str] = []

    async def hold(name: str, inside: asyncio.Event, leave: asyncio.Event) -> None:
        async with store.lock("key"):
            order.append(f"{name} in")
            inside.set()
            await leave.wait()
            order.append(f"{name} out")

    inside, leave = asyncio.Event(), asyncio.Event()
    first = asyncio.create_task(hold("first", inside, leave))
    await inside.wait()
    second = asyncio.create_task(hold("second", asyncio.Event(), leave))
    async with store.lock("other"):
        assert order == ["first in"]
    leave.set()
    await asyncio.gather(first, second)
    assert order == ["first in", "first out", "second in", "second out"]


async def test_who_is_cancelled_while_waiting_leaves_the_lock_usable(store: TokenStore) -> None:
    async def take() -> None:
        async with store.lock("key"):
            pass

    async with store.lock("key"):
        waiter = asyncio.create_task(take())
        for _ in range(20):
            await asyncio.sleep(0)
        waiter.cancel()
        await asyncio.gather(waiter, return_exceptions=True)
        assert waiter.cancelled()
    await take()


async def test_no_lock_file_is_left_behind(path: Path) -> None:
    store = FileTokenStore(path)
    Path(f"{path}.key.lock").touch()  # As a killed process leaves it.
    async with store.lock("key"):
        await store.save("a", ONE)
        assert len([*path.parent.iterdir()]) == 2
    assert [*path.parent.iterdir()] == [path]


async def test_many_wait_for_a_lock_whose_file_is_deleted_each_time(path: Path) -> None:
    inside = 0

    async def enter() -> None:
        nonlocal inside
        async with FileTokenStore(path).lock("key"):
            inside += 1
            assert inside == 1
            await asyncio.sleep(0)
            inside -= 1

    await asyncio.gather(*(enter() for _ in range(20)))


@pytest.mark.parametrize("name", ["key", "write"])
async def test_a_lock_that_is_held_too_long_is_an_error_that_names_it(
    path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aiopresence.transport.token_store.LOGIN_WAIT", 0.01)
    monkeypatch.setattr("aiopresence.transport.token_store.WRITE_WAIT", 0.01)
    store, lock = FileTokenStore(path), Path(f"{path}.{name}.lock")
    with FileLock(lock):
        use = store.save("key", ONE) if name == "write" else store.lock("key").__aenter__()
        with pytest.raises(OSError, match="another process has held") as caught:
            await use
        assert caught.value.filename == str(lock)
        assert type(caught.value) is OSError
    await store.save("key", ONE)
    async with store.lock("key"):
        assert await store.load("key") == ONE


async def test_the_file_is_the_owners_alone(path: Path) -> None:
    store = FileTokenStore(path)
    await store.save("a", ONE)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "one" not in repr(store)
    async with store.lock("a"):
        modes = {stat.S_IMODE(p.stat().st_mode) for p in path.parent.iterdir()}
    assert modes == {0o600}


@pytest.mark.skipif(os.name != "posix", reason="file modes are posix's")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
async def test_a_file_that_others_can_read_is_refused(path: Path, mode: int) -> None:
    store = FileTokenStore(path)
    await store.save("a", ONE)
    path.chmod(mode)
    with pytest.raises(UsageError, match="chmod 600"):
        await store.load("a")
    with pytest.raises(UsageError, match="chmod 600"):
        await store.save("b", TWO)
    path.chmod(0o600)
    assert await store.load("a") == ONE


@pytest.fixture
def umask_0() -> Iterator[None]:
    """Files and directories are accessible to everybody unless their modes are given."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.skipif(os.name != "posix", reason="file modes are posix's")
@pytest.mark.usefixtures("umask_0")
async def test_whatever_the_umask_nobody_else_can_open_what_is_created(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "and new"
    store = FileTokenStore(folder / "tokens.json")
    modes: set[int] = set()
    with watched_opens() as opened:
        async with store.lock("key"):
            await store.save("a", ONE)
            modes |= {stat.S_IMODE(p.stat().st_mode) for p in folder.iterdir()}
    assert modes == {0o600}
    assert {stat.S_IMODE(p.stat().st_mode) for p in (folder, folder.parent)} == {0o700}
    created = {mode for mode, flags in opened if flags & os.O_CREAT}
    assert created == {0o600}  # from the beginning, and not by a later chmod


@contextmanager
def watched_opens() -> Iterator[list[tuple[int, int]]]:
    """Yield a list that gets the mode and the flags of each file that Python opens."""
    opened, open_ = list[tuple[int, int]](), os.open

    def watched(path: Any, flags: int, mode: int = 0o777, **options: Any) -> int:
        opened.append((mode, flags))
        return open_(path, flags, mode, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "open", watched)
        yield opened


@pytest.mark.skipif(os.name != "posix", reason="links need no privilege on posix")
@pytest.mark.parametrize("name", ["write", "key"])
async def test_a_link_in_the_place_of_a_lock_file_changes_no_other_file(
    path: Path, name: str
) -> None:
    victim = path.with_name("victim")
    victim.write_text("precious")
    Path(f"{path}.{name}.lock").symlink_to(victim)
    store = FileTokenStore(path)
    use = store.save("key", ONE) if name == "write" else store.lock("key").__aenter__()
    with pytest.raises(OSError, match="symbolic link"):
        await use
    assert victim.read_text() == "precious"


@pytest.mark.skipif(os.name != "posix", reason="links need no privilege on posix")
async def test_a_link_in_the_place_of_the_file_is_replaced_and_not_written_through(
    path: Path,
) -> None:
    other = path.with_name("other")
    other.write_text("{}")
    other.chmod(0o600)
    path.symlink_to(other)
    await FileTokenStore(path).save("a", ONE)
    assert (path.is_symlink(), other.read_text()) == (False, "{}")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.skipif(os.name != "posix", reason="there are no FIFOs elsewhere")
async def test_what_is_no_regular_file_is_refused_without_waiting_for_it(path: Path) -> None:
    os.mkfifo(path, 0o600)
    with pytest.raises(UsageError, match="must be a file"):
        await FileTokenStore(path).load("a")


async def test_a_file_that_is_too_long_is_read_to_its_limit_and_replaced(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("aiopresence.transport.token_store.MAX_FILE", 100)
    path.write_text(json.dumps({"a": {"access_token": "x" * 100}}))
    path.chmod(0o600)
    store = FileTokenStore(path)
    assert await store.load("a") is None
    assert "is not a token file" in caplog.text
    await store.save("a", ONE)
    assert await store.load("a") == ONE


@pytest.mark.fault
@pytest.mark.parametrize(
    "content", ["", "{", "[]", "5", '{"a": 5}', "\0", "[" * 100_000, "9" * 5_000]
)
async def test_what_is_no_token_file_is_replaced(path: Path, content: str) -> None:
    path.write_text(content)
    path.chmod(0o600)
    store = FileTokenStore(path)
    assert await store.load("a") is None
    await store.save("a", ONE)
    assert json.loads(path.read_text()) == {"a": ONE}


async def test_a_directory_that_is_not_there_is_made(tmp_path: Path) -> None:
    store = FileTokenStore(tmp_path / "new" / "tokens.json")
    assert await store.load("a") is None
    await store.save("a", ONE)
    assert await store.load("a") == ONE


async def test_a_directory_that_cannot_be_is_an_os_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    store = FileTokenStore(tmp_path / "file" / "tokens.json")
    with pytest.raises(OSError, match="file"):
        await store.save("a", ONE)


WRITER = """
import asyncio, sys
from aiopresence import FileTokenStore
async def main():
    store = FileTokenStore(sys.argv[1])
    print("ready", flush=True)
    while True:
        for token in ("one", "two"):
            await store.save("a", {"access_token": token, "padding": "x" * 100_000})
asyncio.run(main())
"""


async def test_kill_9_while_writing_leaves_the_old_file_or_the_new_one(path: Path) -> None:
    store = FileTokenStore(path)
    await store.save("a", {**ONE, "padding": "x" * 100_000})
    for _ in range(4):
        writer = subprocess.Popen(  # noqa: S603 - our own code
            [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE
        )
        assert writer.stdout is not None
        writer.stdout.readline()
        before = path.stat().st_mtime_ns
        while path.stat().st_mtime_ns == before:  # until it has written at least once
            await asyncio.sleep(0)
        writer.send_signal(signal.SIGKILL)
        writer.communicate()
        token = await store.load("a")
        assert token is not None
        assert token["access_token"] in ("one", "two")
        assert len(token["padding"]) == 100_000
        await store.save("b", TWO)  # the dead one's lock is free


async def test_a_cancelled_attempt_leaves_no_lock_file(tmp_path: Path) -> None:
    store = FileTokenStore(tmp_path / "tokens.json")
    for steps in range(30):
        task = asyncio.create_task(store.lock("key").__aenter__())
        for _ in range(steps):
            await asyncio.sleep(0)
        if task.done():
            break
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert [*tmp_path.iterdir()] == []
