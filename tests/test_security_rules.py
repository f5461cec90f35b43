"""What the source must not contain: unsafe comparisons, unsafe functions, guessable ids."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import aiopresence
from aiopresence import GetPresenceInfo
from aiopresence.protocol import decoding

PACKAGE = Path(aiopresence.__file__).parent
SOURCES = {
    str(path.relative_to(PACKAGE)): path.read_text()
    for path in sorted(PACKAGE.rglob("*.py"))
    if "docs" not in path.relative_to(PACKAGE).parts
}
# The sandbox invents its secrets, and tells them to everybody who uses it.
PRODUCT = [name for name in SOURCES if not name.startswith("sandbox/")]

_SECRET = re.compile(
    r"token|secret|password|passwd|jwt|verifier|digest|cookie|signature|credential|authorization"
    r"|challenge|^_?(?:state|code|given|presented|expected)$",
    re.IGNORECASE,
)
# The comparisons in which a stranger has no part: tokens that this program has itself obtained, and
# names that are of no secret.
HARMLESS = {
    "cli/logins.py: saved_jwt != _digest(settings.grant())",
    "protocol/login_hold.py: access_token in self._tokens",
    "redaction.py: secret == next(reversed(self._secrets), None)",
    "transport/token_manager.py: access_token not in self._rejected",
    "transport/token_manager.py: old.access_token not in self._rejected",
    "transport/token_manager.py: token.access_token != access_token",
    "transport/token_manager.py: token.access_token in self._rejected",
    "transport/token_manager.py: token.access_token not in self._rejected",
    # No secrets: ids, states of a board, paths, statuses and digests of notification ids.
    "live/refresher.py: id_ in state.records",
    "live/snapshot.py: outcome.id not in state.unreadable",
    "protocol/event_session.py: error.error_code == INVALID_RECOVERY_TOKEN",
    "redis/term.py: id_ in state.rejected",
    "redis/term.py: id_ not in state.records",
    "transport/aiohttp_errors.py: code in codes",
    "transport/authorized.py: request.path in CREDENTIAL_PATHS",
    "transport/requester.py: request.path in CREDENTIAL_PATHS",
    "webhooks/dedup.py: _digest(uuid) in self._accepted_at",
}
# Where source is made of the fields of our own classes.
GENERATORS = {
    "protocol/decoding_codegen.py",
    "protocol/frozen_records.py",
    "protocol/untracking.py",
}
# Where random numbers are spread in time, or shuffled, and protect nothing.
JITTER = {"redis/fleet.py", "transport/clock.py"}
FORBIDDEN = {"pickle", "marshal", "shelve", "dill", "yaml", "subprocess", "xml", "telnetlib"}
CODE = {"exec", "eval", "compile", "__import__"}


@cache
def nodes(text: str) -> list[ast.AST]:
    """Return the nodes of a source."""
    return [*ast.walk(ast.parse(text))]


def words(node: ast.AST) -> Iterator[str]:
    """Yield the names and attributes that an operand consists of."""
    for each in ast.walk(node):
        if isinstance(each, ast.Name):
            yield each.id
        elif isinstance(each, ast.Attribute):
            yield each.attr


def compared_secrets(text: str) -> Iterator[str]:
    """Yield each comparison by value in which an operand has the name of a secret."""
    for node in nodes(text):
        if not isinstance(node, ast.Compare):
            continue
        operands = [node.left, *node.comparators]
        is_by_value = any(
            isinstance(op, ast.Eq | ast.NotEq | ast.In | ast.NotIn) for op in node.ops
        )
        # What a literal is compared with is not compared with a secret.
        is_literal = any(isinstance(operand, ast.Constant) for operand in operands)
        names = {word for operand in operands for word in words(operand)}
        if is_by_value and not is_literal and any(map(_SECRET.search, names)):
            yield ast.unparse(node)


def calls(text: str) -> Iterator[ast.Call]:
    return (node for node in nodes(text) if isinstance(node, ast.Call))


def imports(text: str) -> set[str]:
    """Return the top-level modules that a source imports."""
    found = set()
    for node in nodes(text):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add((node.module or "").split(".")[0])
    return found


def test_no_secret_is_compared_with_what_a_stranger_sends_but_in_constant_time() -> None:
    found = {f"{name}: {each}" for name in PRODUCT for each in compared_secrets(SOURCES[name])}
    assert found == HARMLESS


@pytest.mark.parametrize(
    ("source", "is_found"),
    [
        ("given == self._token", True),
        ("header != token.encode()", True),
        ("query['state'] in {self._state}", True),
        ("password == other", True),
        ("compare_digest(given, self._token)", False),
        ("token is None", False),
        ("len(token) == 5", False),
        ("a == b", False),
    ],
)
def test_the_search_for_comparisons_finds_them(source: str, is_found: bool) -> None:
    assert bool([*compared_secrets(source)]) is is_found


def test_what_strangers_present_is_compared_in_constant_time() -> None:
    found = {
        name
        for name in PRODUCT
        for call in calls(SOURCES[name])
        if ast.unparse(call.func).endswith("compare_digest")
    }
    assert found == {"cli/browser_login.py", "web/access.py", "webhooks/verification.py"}


def test_no_source_uses_an_unsafe_module() -> None:
    assert {name: bad for name in SOURCES if (bad := imports(SOURCES[name]) & FORBIDDEN)} == {}


def test_only_the_generators_of_decoders_execute_source() -> None:
    found = {
        name
        for name, text in SOURCES.items()
        for call in calls(text)
        if isinstance(call.func, ast.Name) and call.func.id in CODE
    }
    assert found == GENERATORS


def test_random_numbers_that_can_be_guessed_only_spread_load() -> None:
    assert {name for name in PRODUCT if "random" in imports(SOURCES[name])} == JITTER


def test_names_of_tasks_have_no_data_in_them() -> None:
    names = [
        keyword.value
        for name in PRODUCT
        for call in calls(SOURCES[name])
        if ast.unparse(call.func).endswith("create_task")
        for keyword in call.keywords
        if keyword.arg == "name"
    ]
    assert names
    assert all(isinstance(name, ast.Constant) for name in names)


def test_assertions_only_inform_the_type_checker() -> None:
    """With `python -O` they are gone."""
    found = [
        ast.unparse(node.test)
        for name in PRODUCT
        for node in nodes(SOURCES[name])
        if isinstance(node, ast.Assert)
    ]
    assert [each for each in found if not each.endswith("is not None")] == []


HOSTILE = b"""{"extension": {"id": "1", "__class__": "x", "uri": "\\"); import os #"},
 "message": "\\n    __import__(\'os\').abort()", "__import__(\'os\').abort()": 1,
 "userStatus": "\'); raise SystemExit(1) #", "activeCalls": [{"\\u0000": 1,
 "id": "\\\"\\\"\\\""}]}"""


def test_no_data_gets_into_source_that_is_executed(monkeypatch: pytest.MonkeyPatch) -> None:
    executed: list[str] = []
    run = exec

    def watched(source: str, names: dict[str, Any]) -> None:
        executed.append(source)
        run(source, names)

    monkeypatch.setattr("builtins.exec", watched)
    sources = []
    for body in (b"{}", HOSTILE):
        executed.clear()
        hook = decoding._make_converter(detailed=False).get_structure_hook(GetPresenceInfo)
        record = hook(decoding.parse(body), GetPresenceInfo)
        sources.append([*executed])
    assert record.message == "\n    __import__('os').abort()"
    assert len(sources[0]) >= 1
    assert sources[0] == sources[1]
