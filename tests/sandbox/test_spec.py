"""The responses of all presence endpoints against the vendor's own description."""

from collections.abc import Iterator
from typing import Any

import pytest

from aiopresence.sandbox import Sandbox
from tests.support.sandbox_raw import Caller, calling
from tests.support.sandbox_socket import PLENTY
from tests.test_spec import SPEC, operations, schema_of

pytestmark = pytest.mark.skipif(not SPEC.exists(), reason="the vendor's description is not here")

TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "boolean": bool,
}
# What the description uses of JSON Schema, and what only describes.
CHECKED = {"type", "enum", "items", "properties", "minLength", "maxLength"}
DESCRIBES = {"description", "default", "format", "example"}


def faults(schema: Any, value: Any, where: str = "$") -> Iterator[str]:
    """Validate a value against the part of JSON Schema that the description uses."""
    if unknown := set(schema) - CHECKED - DESCRIBES:
        yield f"{where}: the test does not know {unknown}"
    type_ = TYPES[schema.get("type", "object")]
    if not isinstance(value, type_) or (type_ is int and isinstance(value, bool)):
        yield f"{where}: {value!r} is no {schema['type']}"
    elif value not in schema.get("enum", [value]):
        yield f"{where}: {value!r} is none of {schema['enum']}"
    elif isinstance(value, str) and not (
        schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value))
    ):
        yield f"{where}: {len(value)} characters"
    for name, inner, each in parts(schema, value):
        yield from faults(inner, each, where + name)


def parts(schema: Any, value: object) -> Iterator[tuple[str, Any, Any]]:
    """Yield the members of an object or array, with their paths and schemas."""
    if isinstance(value, dict):
        known = schema.get("properties", {})
        yield from ((f".{name}", known[name], value[name]) for name in known if name in value)
    elif isinstance(value, list):
        yield from ((f"[{index}]", schema["items"], item) for index, item in enumerate(value))


async def answers(call: Caller) -> list[tuple[str, int, Any]]:
    """Call every endpoint in every form; return operation ids, statuses and bodies."""
    found = []

    async def ask(operation: str, method: str, path: str, body: object = None) -> Any:
        got = await call(method, path, json=body)
        found.append((operation, got.status, got.json))
        return got.json

    flags = "?detailedTelephonyState=true&sipData=true"
    users = call.sandbox.user_ids
    for each in call.sandbox.extension_ids:
        await ask("readUserPresenceStatus", "GET", f"extension/{each}/presence{flags}")
        await ask("readUnifiedPresence", "GET", f"extension/{each}/unified-presence")
    await ask("readUnifiedPresence", "GET", f"extension/{','.join(users[:20])}/unified-presence")
    await ask("readAccountPresence", "GET", f"presence{flags}&perPage=7&page=2")
    await ask("updateUserPresenceStatus", "PUT", "extension/~/presence", {"message": "x" * 75})
    dnd = {"telephony": {"availability": "DoNotAcceptAnyCalls"}, "glip": {"availability": "DND"}}
    await ask("updateUnifiedPresence", "PATCH", "extension/~/unified-presence", dnd)
    for each in call.sandbox.queue_ids:
        path = f"call-queues/{each}/presence"
        queue = await ask("readCallQueuePresence", "GET", path)
        await ask("updateCallQueuePresence", "PUT", path, queue)
    path = "extension/~/call-queue-presence"
    queues = await ask("readExtensionCallQueuePresence", "GET", f"{path}?editableMemberStatus=true")
    await ask("updateExtensionCallQueuePresence", "PUT", path, queues)
    return found


@pytest.mark.parametrize("seed", range(5))
async def test_responses_match_the_description_of_the_vendor(seed: int) -> None:
    described = {name: operation["responses"] for name, (_, _, operation) in operations().items()}
    async with calling(
        Sandbox(70, seed=seed, limits={**PLENTY, "Light": 9_000, "Medium": 9_000})
    ) as it:
        found = await answers(it)
    assert {name for name, *_ in found} == set(described)
    assert any(status == 207 for _, status, _ in found)
    for name, status, body in found:
        schema = schema_of(described[name][str(status)])
        # One record of a 207 is drawn where a list of them is sent.
        for each in body if status == 207 else [body]:
            assert list(faults(schema, each)) == [], name


def test_the_validation_finds_errors() -> None:
    schema = {"type": "object", "properties": {"id": {"type": "integer", "enum": [1]}}}
    assert list(faults(schema, {"id": 1, "new": "field"})) == []
    wrongs: list[Any] = [{"id": "1"}, {"id": 2}, {"id": True}, {"id": None}, []]
    for wrong in wrongs:
        assert list(faults(schema, wrong)) != []
    assert list(faults({"type": "string", "maxLength": 1}, "ab")) != []
    assert list(faults({"type": "array", "items": schema}, [{"id": 3}])) != []
    assert list(faults({"type": "string", "pattern": "x"}, "x")) != []
