"""Our requests and models against the vendor's own description, where that file is at hand."""

import inspect
import json
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from aiopresence import (
    AccountPresenceInfo,
    CallQueuePresence,
    CallQueueUpdatePresence,
    ExtensionCallQueuePresenceList,
    ExtensionCallQueueUpdatePresenceList,
    GetPresenceInfo,
    PresenceInfoRequest,
    PresenceInfoResponse,
    PresenceSession,
    UnifiedPresence,
    UpdateUnifiedPresence,
)
from aiopresence.enums import OpenStrEnum
from aiopresence.protocol import endpoints
from aiopresence.protocol.decoding import camel
from aiopresence.protocol.endpoints import ReadOptions
from aiopresence.protocol.rest import Request

SPEC = Path(__file__).parents[2] / "shared" / "spec" / "presence-openapi.json"
pytestmark = pytest.mark.skipif(not SPEC.exists(), reason="the vendor's description is not here")

QUEUE: dict[str, Any] = {"records": []}
# Each operation: our method, a request made by it for account 1 and extension or queue 2, and
# the models of its body and its answer.
OPERATIONS: dict[str, tuple[str, Request[Any], type | None, type]] = {
    "readUserPresenceStatus": (
        "read_user_presence_status",
        endpoints.read_user_presence_status(ReadOptions(1), [2]),
        None,
        GetPresenceInfo,
    ),
    "updateUserPresenceStatus": (
        "update_user_presence_status",
        endpoints.update_user_presence_status(1, 2, {}),
        PresenceInfoRequest,
        PresenceInfoResponse,
    ),
    "readAccountPresence": (
        "read_account_presence",
        endpoints.read_account_presence(ReadOptions(1)),
        None,
        AccountPresenceInfo,
    ),
    "readCallQueuePresence": (
        "read_call_queue_presence",
        endpoints.read_call_queue_presence(1, 2),
        None,
        CallQueuePresence,
    ),
    "updateCallQueuePresence": (
        "update_call_queue_presence",
        endpoints.update_call_queue_presence(1, 2, QUEUE),
        CallQueueUpdatePresence,
        CallQueuePresence,
    ),
    "readExtensionCallQueuePresence": (
        "read_extension_call_queue_presence",
        endpoints.read_extension_call_queue_presence(1, 2),
        None,
        ExtensionCallQueuePresenceList,
    ),
    "updateExtensionCallQueuePresence": (
        "update_extension_call_queue_presence",
        endpoints.update_extension_call_queue_presence(1, 2, QUEUE),
        ExtensionCallQueueUpdatePresenceList,
        ExtensionCallQueuePresenceList,
    ),
    "readUnifiedPresence": (
        "read_unified_presence",
        endpoints.read_unified_presence(1, [2]),
        None,
        UnifiedPresence,
    ),
    "updateUnifiedPresence": (
        "update_unified_presence",
        endpoints.update_unified_presence(1, 2, {}),
        UpdateUnifiedPresence,
        UnifiedPresence,
    ),
}


def operations() -> dict[str, tuple[str, str, Any]]:
    """Give every operation of the description: its method, its path, and all it says."""
    if not SPEC.exists():
        return {}
    return {
        operation["operationId"]: (method.upper(), path, operation)
        for path, methods in json.loads(SPEC.read_text())["paths"].items()
        for method, operation in methods.items()
    }


def schema_of(content: Any) -> Any:
    return content["content"]["application/json"]["schema"]


def mismatches(schema: Any, type_: Any, where: str) -> Iterator[str]:
    """Compare a schema with one of our types, all the way down."""
    for option in typing.get_args(type_) if isinstance(type_, types.UnionType) else [type_]:
        if option is not types.NoneType:
            type_ = option
    if schema.get("type") == "array":
        yield from mismatches(schema["items"], typing.get_args(type_)[0], f"{where}[]")
    elif schema.get("properties"):
        ours = {camel(f.name): f.type for f in attrs.fields(attrs.resolve_types(type_))}
        for name, inner in schema["properties"].items():
            if name not in ours:
                yield f"{where}.{name}: no such field"
            else:
                yield from mismatches(inner, ours[name], f"{where}.{name}")
    elif schema.get("enum"):
        if not (isinstance(type_, type) and issubclass(type_, OpenStrEnum)):
            yield f"{where}: not an enum"
        elif missing := set(schema["enum"]) - {member.value for member in type_}:
            yield f"{where}: {missing} missing"


def test_there_are_no_other_operations() -> None:
    assert set(operations()) == set(OPERATIONS)


@pytest.mark.parametrize("name", OPERATIONS)
def test_method_and_path(name: str) -> None:
    _, request, _, _ = OPERATIONS[name]
    method, template, _ = operations()[name]
    path = template.replace("{accountId}", "1").replace("{extensionId}", "2")
    assert (request.method, request.path) == (method, path.replace("{groupId}", "2"))


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_parameter_is_an_argument(name: str) -> None:
    method, *_ = OPERATIONS[name]
    ours = {camel(p) for p in inspect.signature(getattr(PresenceSession, method)).parameters}
    _, _, operation = operations()[name]
    assert {p["name"] for p in operation.get("parameters", [])} <= ours


@pytest.mark.parametrize("name", [n for n, o in OPERATIONS.items() if o[2] is not None])
def test_every_body_field_can_be_sent(name: str) -> None:
    *_, body, _ = OPERATIONS[name]
    _, _, operation = operations()[name]
    assert list(mismatches(schema_of(operation["requestBody"]), body, "$")) == []


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_answer_field_is_read(name: str) -> None:
    *_, answer = OPERATIONS[name]
    _, request, _, _ = OPERATIONS[name]
    assert request.model is answer
    _, _, operation = operations()[name]
    assert list(mismatches(schema_of(operation["responses"]["200"]), answer, "$")) == []


def test_the_comparison_sees_what_is_missing() -> None:
    schema = {"properties": {"presenceStatus": {"enum": ["Gone"]}, "aura": {}}}
    assert list(mismatches(schema, GetPresenceInfo, "$")) == [
        "$.presenceStatus: {'Gone'} missing",
        "$.aura: no such field",
    ]
