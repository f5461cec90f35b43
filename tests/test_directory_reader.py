"""Reading the directory of an account, over HTTP."""

import itertools
import json
import logging
from collections.abc import Callable
from typing import Any

import pytest

from aiopresence import (
    DecodeError,
    Directory,
    DirectoryEntry,
    ExtensionStatus,
    ExtensionType,
    NotFound,
    PermissionDenied,
    ServerError,
    SiteBasicInfo,
    UsageError,
)
from aiopresence.sandbox import Answer, Change, Sandbox
from tests.support.sessions import PLENTY, Session

DIRECTORY = "/directory/entries"


async def read(session: Session, account_id: str = "~") -> Directory:
    return await session.read_directory(account_id=account_id)


def listings(sandbox: Sandbox) -> list[str]:
    """Return the requests for a listing that arrived, without their paths."""
    paths = [f"{r.path.rsplit('/', 1)[1]}?{r.query}" for r in sandbox.requests]
    return [path for path in paths if path.startswith(("entries", "extension?"))]


async def test_the_whole_directory_is_read(sandbox: Sandbox, session: Session) -> None:
    directory = await read(session)
    assert [*directory] == [*sandbox.extension_ids]
    person = directory[sandbox.extension_ids[6]]
    assert person == DirectoryEntry(
        id=sandbox.extension_ids[6],
        extension_number="107",
        name=person.name,
        first_name=person.first_name,
        last_name=person.last_name,
        email=person.email,
        type=ExtensionType.USER,
        status=ExtensionStatus.ENABLED,
        department="Press",
        job_title="Press Agent",
        site=SiteBasicInfo("781230045", "North Office"),
    )
    assert person.name == f"{person.first_name} {person.last_name}"
    queue = directory[sandbox.queue_ids[0]]
    assert (queue.type, queue.first_name) == (ExtensionType.DEPARTMENT, None)
    assert queue.name is not None
    assert directory.find(person.name) is directory.find("107") is person


async def test_people_with_accents_are_found_without_them() -> None:
    async with (
        Sandbox(100, seed=2, limits=PLENTY) as sandbox,
        Session(sandbox.grant, server=sandbox.url) as session,
    ):
        directory = await read(session)
        accented = [each for each in directory.values() if not (each.name or "").isascii()]
        assert len(accented) > 3
        for each in accented:
            plain = (each.name or "").translate(str.maketrans("ëöãä", "eoaa"))
            assert plain.isascii()
            assert each in directory.search(plain.upper())


@pytest.mark.parametrize("totals", [True, False])
@pytest.mark.parametrize("is_forbidden", [False, True])
async def test_all_pages_are_read(totals: bool, is_forbidden: bool) -> None:
    async with (
        Sandbox(100, paging_totals=totals, page_limit=15, limits=PLENTY) as sandbox,
        Session(sandbox.grant, server=sandbox.url) as session,
    ):
        if is_forbidden:
            sandbox.faults.add(Answer(403), path=DIRECTORY, times=None)
        assert [*await read(session)] == [*sandbox.extension_ids]
        assert len(listings(sandbox)) == (1 + 7 if is_forbidden else 4)


@pytest.mark.fault
@pytest.mark.parametrize("status", [403, 404])
async def test_without_a_directory_the_list_of_extensions_is_read(
    sandbox: Sandbox, session: Session, status: int
) -> None:
    expected = await read(session)
    rule = sandbox.faults.add(Answer(status), path=DIRECTORY)
    assert dict(await read(session)) == dict(expected)
    assert rule.fired == 1
    assert listings(sandbox)[1:] == [
        "entries?showFederated=false&perPage=2000",
        "extension?perPage=1000",
    ]


@pytest.mark.fault
@pytest.mark.parametrize(
    ("status", "error"), [(403, PermissionDenied), (404, NotFound), (503, ServerError)]
)
async def test_an_error_of_both_listings_is_raised(
    sandbox: Sandbox, session: Session, status: int, error: type[Exception]
) -> None:
    sandbox.faults.add(Answer(404), path=DIRECTORY)
    rule = sandbox.faults.add(Answer(status), path="/account/~/extension?")
    with pytest.raises(error):
        await read(session)
    assert rule.fired == 1


async def test_without_the_permission_nothing_is_read(sandbox: Sandbox, session: Session) -> None:
    sandbox.forbid("ReadAccounts")
    with pytest.raises(PermissionDenied, match="ReadAccounts"):
        await read(session)


@pytest.mark.fault
async def test_an_error_of_a_later_page_is_raised() -> None:
    async with (
        Sandbox(100, page_limit=15, limits=PLENTY) as sandbox,
        Session(sandbox.grant, server=sandbox.url, attempts=1) as session,
    ):
        rule = sandbox.faults.add(Answer(403), path="page=3")
        with pytest.raises(PermissionDenied):
            await read(session)
        assert rule.fired == 1
        assert len(listings(sandbox)) == 3


def records(*records: Any, **page: Any) -> Change:
    return Change(lambda _: json.dumps({"records": records, **page}).encode())


ANN = {"id": "1", "firstName": "Ann", "lastName": "Lee"}


@pytest.mark.fault
@pytest.mark.parametrize(
    ("record", "entry"),
    [
        ({"id": 1}, DirectoryEntry("1")),
        (dict.fromkeys(["id", "name", "email", "type", "site", "account"], None) | ANN, None),
        ({**ANN, "lastName": None}, DirectoryEntry("1", name="Ann", first_name="Ann")),
        ({**ANN, "name": " Queue "}, DirectoryEntry("1", None, "Queue", "Ann", "Lee")),
        ({"id": "1", "name": " "}, DirectoryEntry("1")),
        ({"id": "1", "type": "Robot"}, DirectoryEntry("1", type=ExtensionType("Robot"))),
        ({"id": "1", "status": "Gone"}, DirectoryEntry("1", status=ExtensionStatus("Gone"))),
        ({"id": "1", "contact": ANN}, None),
        ({"id": "1", "more": [{}], "phoneNumbers": [{"primary": True}]}, DirectoryEntry("1")),
    ],
)
async def test_fields_may_be_absent_null_or_new(
    sandbox: Sandbox, session: Session, record: Any, entry: DirectoryEntry | None
) -> None:
    sandbox.faults.add(records(record), path=DIRECTORY)
    expected = entry or DirectoryEntry("1", None, "Ann Lee", "Ann", "Lee")
    assert dict(await read(session)) == {"1": expected}


@pytest.mark.fault
@pytest.mark.parametrize(
    ("record", "path"),
    [
        ({"id": "2", "email": 5}, r"\$\.records\[1\]\.email"),
        ({"id": "2", "site": {"name": []}}, r"\$\.records\[1\]\.site\.name"),
        ([], r"\$\.records\[1\]"),
    ],
)
async def test_a_wrong_type_is_an_error_with_its_path(
    sandbox: Sandbox, session: Session, record: Any, path: str
) -> None:
    sandbox.faults.add(records(ANN, record), path=DIRECTORY)
    with pytest.raises(DecodeError, match=path):
        await read(session)


@pytest.mark.fault
async def test_contacts_of_other_accounts_and_records_without_an_id_are_left_out(
    sandbox: Sandbox, session: Session
) -> None:
    account = sandbox.account_id
    many = [
        {"id": "1", "account": {"id": account}},
        {"id": "2", "account": {"id": int(account)}},
        {"id": "3", "account": {"id": "999"}},
        {"id": "4", "type": "External"},
        {"id": "5"},
        {"name": "Nobody"},
        {"id": ""},
    ]
    rule = sandbox.faults.add(records(*many), path=DIRECTORY, times=2)
    assert [*await read(session, account)] == ["1", "2", "5"]
    # The id of the caller's own account is not known.
    assert [*await read(session)] == ["1", "2", "3", "5"]
    assert rule.fired == 2


ENDLESS: dict[str, Callable[[int], dict[str, Any]]] = {
    "totals": lambda page: {"paging": {"totalPages": page + 10**6}},
    "full pages": lambda page: {"paging": {"perPage": -1}},
    "links": lambda page: {
        "navigation": {
            "nextPage": {
                "uri": "/restapi/v1.0/account/~/directory/entries"
                f"?showFederated=false&page={page + 1}"
            }
        }
    },
}


@pytest.mark.fault
@pytest.mark.parametrize("name", ENDLESS)
@pytest.mark.parametrize("ids", [[], ["1"], ["1", "2", "1"]])
async def test_a_directory_whose_pages_repeat_ends(
    sandbox: Sandbox,
    session: Session,
    caplog: pytest.LogCaptureFixture,
    name: str,
    ids: list[str],
) -> None:
    count = itertools.count(1)

    def change(_: bytes) -> bytes:
        found = [{"id": id_} for id_ in ids]
        return json.dumps({"records": found, **ENDLESS[name](next(count))}).encode()

    rule = sandbox.faults.add(Change(change), path=DIRECTORY, times=None)
    with caplog.at_level(logging.WARNING, "aiopresence"):
        assert {*await read(session)} == {*ids}
    assert rule.fired == 5 + bool(ids)
    assert "pages repeat" in caplog.text


async def test_the_log_has_the_number_of_each_page(caplog: pytest.LogCaptureFixture) -> None:
    async with (
        Sandbox(100, page_limit=25, limits=PLENTY) as sandbox,
        Session(sandbox.grant, server=sandbox.url) as session,
    ):
        with caplog.at_level(logging.DEBUG, "aiopresence"):
            await read(session)
    assert "/directory/entries: HTTP 200" in caplog.text
    assert "/directory/entries?page=2: HTTP 200" in caplog.text


async def test_smaller_pages_without_any_paging_are_read_to_the_end(
    sandbox: Sandbox, session: Session
) -> None:
    """A server may reduce the size of a page without saying so."""
    pages = [range(1000), range(1000, 2000), range(2000, 2005)]

    def change(_: bytes) -> bytes:
        return json.dumps({"records": [{"id": id_} for id_ in pages.pop(0)]}).encode()

    sandbox.faults.add(Change(change), path=DIRECTORY, times=None)
    assert len(await read(session)) == 2005


@pytest.mark.fault
async def test_pages_that_overlap_are_read_once(sandbox: Sandbox, session: Session) -> None:
    pages = [["1", "2"], ["2", "3"], ["4"]]

    def change(_: bytes) -> bytes:
        found = [{"id": id_} for id_ in pages.pop(0)]
        return json.dumps({"records": found, "paging": {"totalPages": 3}}).encode()

    sandbox.faults.add(Change(change), path=DIRECTORY, times=None)
    assert [*await read(session)] == ["1", "2", "3", "4"]


async def test_equal_texts_and_sites_are_one_object(sandbox: Sandbox, session: Session) -> None:
    first, *_, second = [
        each for each in (await read(session)).values() if each.department == "Sales"
    ]
    assert first.department is second.department
    assert first.site is second.site


async def test_a_session_that_is_not_open_reads_nothing(sandbox: Sandbox) -> None:
    with pytest.raises(UsageError, match="not open"):
        await read(Session(sandbox.grant, server=sandbox.url))
