"""The rooms and who may import whom: see `aiopresence/__init__.py` and the rooms' docstrings."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import aiopresence

PACKAGE = Path(aiopresence.__file__).parent
MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts): path
    for path in sorted(PACKAGE.rglob("*.py"))
}

# For each room, the rooms of ours it may import, besides itself.
VALUES = {"auth_codes", "errors", "filters", "grants", "models", "secret", "text"}
CORE = VALUES | {"protocol"}
ROOMS = {
    "auth_codes": set[str](),
    "errors": {"auth_codes", "text"},
    "models": {"errors", "secret"},
    "filters": {"errors", "models"},
    "secret": set[str](),
    "text": set[str](),
    "grants": {"errors", "secret"},
    "protocol": VALUES,
    "transport": CORE,
    "calls": CORE | {"transport"},
    "account": CORE | {"transport", "calls"},
    "bulk": CORE | {"transport", "calls", "account"},
    "live": CORE | {"transport", "calls", "bulk"},
    "session": CORE | {"transport", "calls", "bulk", "live"},
    "webhooks": CORE | {"transport", "session"},
    "sandbox": {"errors", "grants"},
    "cli": {"", "auth_codes", "filters", "sandbox", "text"},
    "__init__": CORE | {"transport", "session", "live"},
}
# The fixtures give tests a session beside the sandbox. They are a user of both: nothing of the
# sandbox imports them, so the two still share no code.
USERS = {"sandbox.plugin": {""}}
# What pure rooms may not touch.
IMPURE = {"asyncio", "aiohttp", "socket", "ssl", "time", "random", "os", "secrets", "threading"}
THIRD_PARTY = {
    "models": {"attrs"},
    "grants": {"attrs"},
    "protocol": {"attrs", "cattrs", "orjson"},
    "webhooks": {"attrs", "aiohttp"},
    "sandbox": {"attrs", "aiohttp", "multidict"},
    # The login with a browser listens for it, and the doctor looks at a server before any login.
    "cli": {"aiohttp", "attrs", "dotenv", "platformdirs", "rich", "typer"},
}


def imported(name: str) -> Iterator[str]:
    """Give the absolute names of all modules that a module of ours imports."""
    package = ("aiopresence." + name).split(".")[:-1]
    for node in ast.walk(ast.parse(MODULES[name].read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            if module == "aiopresence" and node.level:
                names = [alias.name for alias in node.names]
                yield from (f"{module}.{n}" if n in ROOMS else module for n in names)
            else:
                yield module


def room(name: str) -> str:
    return name.split(".")[0]


@pytest.mark.parametrize("name", MODULES)
def test_a_room_imports_only_what_it_may(name: str) -> None:
    for module in imported(name):
        if module.split(".")[0] == "aiopresence":
            target = room(module.removeprefix("aiopresence").removeprefix("."))
            allowed = {room(name)} | ROOMS[room(name)] | USERS.get(name, set())
            assert target in allowed, (name, module)


def test_nobody_imports_the_users() -> None:
    users = {f"aiopresence.{name}" for name in USERS}
    assert not users & {module for name in MODULES for module in imported(name)}


@pytest.mark.parametrize("name", [n for n in MODULES if room(n) in {*VALUES, "protocol"}])
def test_the_core_is_pure(name: str) -> None:
    assert not {module.split(".")[0] for module in imported(name)} & IMPURE


@pytest.mark.parametrize("name", [n for n in MODULES if room(n) in THIRD_PARTY])
def test_a_room_uses_only_its_libraries(name: str) -> None:
    outside = {module.split(".")[0] for module in imported(name)}
    known = {"aiohttp", "attrs", "cattrs", "filelock", "orjson", "rich", "typer", "yarl"}
    known |= {"multidict", "aioresponses", "dotenv", "platformdirs"}
    assert outside & known <= THIRD_PARTY[room(name)]


def test_webhooks_take_from_transport_the_clock_only() -> None:
    modules = {m for n in MODULES if room(n) == "webhooks" for m in imported(n)}
    assert {m for m in modules if "transport" in m} == {"aiopresence.transport.clock"}


def test_every_room_has_its_rule() -> None:
    assert {room(name) for name in MODULES} == set(ROOMS)


def test_the_walk_sees_imports() -> None:
    assert "aiopresence.errors" in set(imported("protocol.wire"))
    assert "aiopresence.grants" in set(imported("sandbox.server"))
    assert "aiohttp" in set(imported("transport.http"))
