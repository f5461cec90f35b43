"""Every public name is documented, and tables of the guides agree with the code."""

import inspect
import re
from enum import EnumType

import attrs
import pytest

import aiopresence
from aiopresence import (
    BatchResult,
    GroupLimits,
    Outcome,
    PresenceBoard,
    PresenceSession,
    SessionHooks,
    Stats,
    errors,
    filters,
)
from aiopresence.auth_advice import ADVICE
from aiopresence.sandbox import Faults, GatewayControl, Sandbox, WebhookControl, plugin
from aiopresence.webhooks import WebhookReceiver, WebhookSubscription
from tests.support.documents import MANUAL, README, ROOT, TEXT


def public(cls: type) -> set[str]:
    return {name for name in dir(cls) if not name.startswith("_")}


def is_documented(name: str) -> bool:
    return bool(re.search(rf"\b{name}\b", MANUAL))


@pytest.mark.parametrize(
    "cls",
    [
        PresenceSession,
        PresenceBoard,
        Outcome,
        BatchResult,
        WebhookReceiver,
        WebhookSubscription,
        Sandbox,
        Faults,
        GatewayControl,
        WebhookControl,
        GroupLimits,
        Stats,
        SessionHooks,
    ],
)
def test_every_public_method_and_property_is_documented(cls: type) -> None:
    inherited = public(dict) | public(tuple)
    called_by_the_server = {"find"}
    names = public(cls) - inherited - called_by_the_server
    assert {name for name in names if not is_documented(name)} == set()


def test_every_argument_of_a_session_and_a_sandbox_is_documented() -> None:
    names = {*inspect.signature(PresenceSession).parameters, *inspect.signature(Sandbox).parameters}
    assert {name for name in names if not is_documented(name)} == set()


def test_every_filter_grant_store_and_fixture_is_documented() -> None:
    functions = inspect.getmembers(filters, inspect.isfunction)
    names = {name for name, each in functions if each.__module__ == filters.__name__}
    names = {name for name in names if not name.startswith("_")}
    names |= {n for n in aiopresence.__all__ if n.endswith(("Grant", "Store", "Hooks"))}
    names |= {*plugin.__all__, "authorize_url", "AccessToken"}
    assert {name for name in names if not is_documented(name)} == set()


def rows(document: str, header: str) -> dict[str, list[str]]:
    """Return the rows of all tables of a guide that begin with a header, by their first cell."""
    text = TEXT[ROOT / "aiopresence/docs" / document]
    tables = re.findall(rf"^\| {header} \|.*\n\|[-|]+\n((?:\|.*\n)+)", text, re.M)
    cells = [line.split("|")[1:3] for table in tables for line in table.splitlines()]
    return {name.strip(" `"): re.findall(r"[^\s,`]+", values) for name, values in cells}


def test_the_guide_lists_the_fields_of_every_record() -> None:
    kinds = {name: getattr(aiopresence, name) for name in aiopresence.__all__}
    records = {
        name: [field.name for field in attrs.fields(kind)]
        for name, kind in kinds.items()
        if attrs.has(kind) and kind.__module__.startswith("aiopresence.models")
    }
    assert rows("records.md", "record") == {
        name: fields for name, fields in records.items() if kinds[name].__name__ == name
    }


def test_the_guide_lists_the_values_of_every_enum() -> None:
    kinds = {name: getattr(aiopresence, name) for name in aiopresence.__all__}
    enums = {n: [*e] for n, e in kinds.items() if isinstance(e, EnumType) and len(e)}
    assert rows("records.md", "enum") == enums


def test_every_public_name_is_documented() -> None:
    names = {name for name in aiopresence.__all__ if not is_documented(name)}
    assert names == set()


def test_every_error_is_in_the_guide_and_all_but_groups_in_readme() -> None:
    public_errors = {name for name in aiopresence.__all__ if name in vars(errors)}
    guide = TEXT[ROOT / "aiopresence/docs/errors.md"]
    assert {name for name in public_errors if f"`{name}`" not in guide} - {"PresenceError"} == set()
    groups = {"PresenceError", "TransportError", "ApiError", "BatchError"}
    assert {name for name in public_errors - groups if f"`{name}`" not in README} == set()


def test_the_codes_of_refused_logins_are_those_of_the_messages() -> None:
    guide = TEXT[ROOT / "aiopresence/docs/errors.md"]
    rows = re.findall(r"^\| (`[A-Z]{3}-[0-9].*?) \| (.*) \|$", guide, re.M)
    table = {code: advice for codes, advice in rows for code in re.findall("`(.*?)`", codes)}
    assert table == ADVICE
