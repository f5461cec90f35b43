"""The layers of the package and the limits on its code: see `aiopresence/__init__.py`."""

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import aiopresence

PACKAGE = Path(aiopresence.__file__).parent
MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts): path
    for path in sorted(PACKAGE.rglob("*.py"))
}

# For each layer, a sub-package or a top-level module, the layers it may import besides itself.
VALUES = {
    "auth_advice",
    "enums",
    "errors",
    "escaping",
    "filters",
    "grants",
    "ids",
    "models",
    "redaction",
}
CORE = VALUES | {"protocol"}
READERS = CORE | {"concurrency", "transport"}
LAYERS = {
    "auth_advice": set[str](),
    "escaping": set[str](),
    "redaction": set[str](),
    "errors": {"auth_advice", "escaping"},
    "enums": {"errors"},
    "ids": {"errors"},
    "models": {"enums", "errors", "ids", "redaction"},
    "filters": {"errors", "ids"},
    "grants": {"errors", "redaction"},
    "credentials": {"errors", "grants"},
    "protocol": VALUES,
    "directory": CORE,
    "concurrency": set[str](),
    "proxies": {"errors", "protocol", "redaction"},
    "transport": CORE | {"proxies"},
    "account_reader": READERS | {"bulk"},
    "bulk": READERS,
    "bulk_writer": READERS | {"bulk"},
    "directory_reader": READERS | {"directory"},
    "readers": READERS | {"account_reader", "bulk", "directory", "directory_reader"},
    "routed_read": READERS | {"account_reader", "readers"},
    "route_reader": READERS | {"bulk", "readers", "routed_read"},
    "queue_api": READERS,
    "temporary_presence": CORE,
    "presence_api": READERS
    | {"bulk_writer", "directory", "queue_api", "readers", "routed_read", "route_reader"}
    | {"temporary_presence"},
    "live": READERS | {"directory", "readers", "routed_read"},
    "session": READERS | {"credentials", "presence_api", "readers", "live"},
    "webhooks": CORE | {"transport", "session"},
    "redis": READERS | {"live", "session"},
    "web": {""},
    "sandbox": {"errors", "grants"},
    "cli": {"", "auth_advice", "escaping", "filters", "ids", "proxies", "redis", "sandbox", "web"},
    "__main__": {"cli"},
    "__init__": CORE | {"transport", "session", "live", "directory", "temporary_presence"},
}
# The fixtures hand tests a session next to the sandbox. They use both; nothing of the sandbox
# imports them, so library and sandbox still share no code.
USERS = {"sandbox.plugin": {""}}
# What pure layers must not import.
IMPURE = {"asyncio", "aiohttp", "socket", "ssl", "time", "random", "os", "secrets", "threading"}
THIRD_PARTY = {
    "models": {"attrs"},
    "grants": {"attrs"},
    "protocol": {"attrs", "cattrs", "orjson"},
    "webhooks": {"attrs", "aiohttp"},
    "web": {"attrs", "aiohttp", "orjson"},
    "redis": {"attrs", "orjson", "cryptography", "redis"},
    "sandbox": {"attrs", "aiohttp", "multidict"},
    # The browser login listens for its redirect; doctor looks at a server before any login.
    "cli": {"aiohttp", "attrs", "dotenv", "platformdirs", "rich", "typer"},
}
LONGEST_FILE = 400
LONGEST_BODY = 45


@cache
def nodes(name: str) -> list[ast.AST]:
    """Return all nodes of the source of a module."""
    return [*ast.walk(ast.parse(MODULES[name].read_text()))]


@cache
def imported(name: str) -> list[str]:
    """Return the absolute name of each module that a module of the package imports."""
    package = ("aiopresence." + name).split(".")[:-1]
    found: list[str] = []
    for node in nodes(name):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            found += [imported_module(module, alias.name) for alias in node.names]
    return found


def imported_module(module: str, name: str) -> str:
    """Return the module that `from module import name` imports: a submodule, or `module`."""
    inner = f"{module}.{name}".removeprefix("aiopresence.")
    return f"aiopresence.{inner}" if inner in MODULES or f"{inner}.__init__" in MODULES else module


def layer(name: str) -> str:
    return name.split(".")[0]


def test_a_layer_imports_only_layers_below_it() -> None:
    for name in MODULES:
        allowed = {layer(name)} | LAYERS[layer(name)] | USERS.get(name, set())
        for module in imported(name):
            if module.split(".")[0] == "aiopresence":
                target = layer(module.removeprefix("aiopresence").removeprefix("."))
                assert target in allowed, (name, module)


def test_the_layers_themselves_form_no_cycle() -> None:
    TopologicalSorter(LAYERS).prepare()


def imported_at_startup(name: str) -> Iterator[str]:
    """Yield the modules of the package that one imports when it is imported itself."""
    for module in imported(name):
        inner = module.removeprefix("aiopresence").removeprefix(".")
        inner = inner if inner in MODULES else f"{inner}.__init__".removeprefix(".")
        # `__init__` imports nothing before a name is used: see test_exports.
        if module.split(".")[0] == "aiopresence" and inner not in {name, "__init__"}:
            yield inner


def test_no_modules_import_each_other_in_a_cycle() -> None:
    try:
        TopologicalSorter({name: set(imported_at_startup(name)) for name in MODULES}).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


def test_no_module_imports_the_fixtures() -> None:
    users = {f"aiopresence.{name}" for name in USERS}
    assert not users & {module for name in MODULES for module in imported(name)}


def outside(name: str) -> set[str]:
    """Return the packages that a module imports."""
    return {module.split(".")[0] for module in imported(name)}


def test_the_core_is_pure() -> None:
    core = [name for name in MODULES if layer(name) in {*VALUES, "protocol"}]
    assert {name: found for name in core if (found := outside(name) & IMPURE)} == {}


def test_a_layer_uses_only_its_libraries() -> None:
    known = {"aiohttp", "attrs", "cattrs", "filelock", "orjson", "rich", "typer", "yarl"}
    known |= {"multidict", "aioresponses", "dotenv", "platformdirs", "redis", "cryptography"}
    limited = [name for name in MODULES if layer(name) in THIRD_PARTY]
    used = {name: outside(name) & known - THIRD_PARTY[layer(name)] for name in limited}
    assert {name: found for name, found in used.items() if found} == {}


def test_webhooks_import_only_the_clock_from_transport() -> None:
    modules = {m for n in MODULES if layer(n) == "webhooks" for m in imported(n)}
    assert {m for m in modules if "transport" in m} == {"aiopresence.transport.clock"}


def test_every_layer_has_its_rule() -> None:
    assert {layer(name) for name in MODULES} == set(LAYERS)


def test_imports_are_found() -> None:
    assert "aiopresence.errors" in set(imported("protocol.rest"))
    assert "aiopresence.grants" in set(imported("sandbox.oauth_endpoint"))
    assert "aiohttp" in set(imported("transport.http"))
    assert "protocol.rest" in set(imported_at_startup("transport.requester"))


def test_no_file_is_too_long_to_read() -> None:
    lengths = {name: path.read_text().count("\n") for name, path in MODULES.items()}
    assert {name: length for name, length in lengths.items() if length > LONGEST_FILE} == {}


Function = ast.FunctionDef | ast.AsyncFunctionDef
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def test_no_function_is_too_long_to_read() -> None:
    functions = [(n, f) for n in MODULES for f in nodes(n) if isinstance(f, Function)]
    assert {(n, f.name) for n, f in functions if body_length(f) > LONGEST_BODY} == set()


def body_length(function: Function) -> int:
    """Return the lines of a function below its signature and docstring."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return (function.end_lineno or 0) - body[0].lineno + 1 if body else 0


def test_docstrings_begin_with_what_is_done() -> None:
    documented = [n for name in MODULES for n in nodes(name) if isinstance(n, DOCUMENTED)]
    texts = [ast.get_docstring(node) or "" for node in documented]
    assert [text for text in texts if text.startswith(("Give ", "Tell ", "Let ", "Say "))] == []
