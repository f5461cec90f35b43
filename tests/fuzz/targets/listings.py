"""Pages of accounts and directories, and texts that are looked up in a directory."""

from collections.abc import Generator
from typing import Any, TypeVar

from aiopresence import (
    AccountPresenceInfo,
    DecodeError,
    Directory,
    DirectoryEntry,
    GetPresenceInfo,
    LookupFailed,
)
from aiopresence.escaping import escaped
from aiopresence.models import PresenceNavigationInfo, PresencePagingInfo
from aiopresence.protocol import endpoints, page_decoding, paging, rest
from aiopresence.protocol.directory_pages import DirectoryPage, DirectoryRecord, EntryMaker
from aiopresence.protocol.endpoints import ReadOptions
from aiopresence.protocol.text_index import LONGEST_TEXT, fold, words_of
from tests.fuzz.checks import check_error
from tests.fuzz.choices import Choices, mutated_text
from tests.fuzz.documents import any_value, record, written

T = TypeVar("T")

SERVER = "https://platform.ringcentral.com"
REQUEST = endpoints.read_account_presence(ReadOptions(), page=1)
# Longer than two slices, so that the page is decoded in slices.
FILLER = 2 * page_decoding.SLICE
NAMES = (
    *(
        "Zo\u00eb Torres",
        "zoe torres",
        "Torres, Zo\u00eb",
        "O\u2019Neil",
        "\uff3a\uff4f\u0065",
        "\u0130",
    ),
    *(
        "Anne-Marie (Sales/East)",
        "",
        " ",
        "\u0301" * 300,
        "\ufdfa" * 300,
        "\u00df",
        "101",
        "-",
        "\0",
    ),
    *("a" * 300, "zoe@example.test", "\ud83d\ude00", "\u1e9b\u0323", "x\u00ady", "\U0010ffff"),
)


def account_pages(data: bytes) -> None:
    """A page that is decoded in slices is the same, or the same error, as decoded at once."""
    _check_page(Choices(data), AccountPresenceInfo, GetPresenceInfo)


def directory_pages(data: bytes) -> None:
    """A page of a directory is decoded likewise, and makes entries with ids."""
    choices = Choices(data)
    page = _check_page(choices, DirectoryPage, DirectoryRecord)
    if page is not None:
        entries = [*EntryMaker(choices.pick(("~", "101"))).entries(page.records or ())]
        assert all(entry.id for entry in entries)
        _check_lookups(choices, Directory(entries))


def lookups(data: bytes) -> None:
    """Any text finds entries that are in the directory, or fails with a message that is safe."""
    choices = Choices(data)
    entries = [
        DirectoryEntry(
            str(101 + place),
            choices.pick(("101", "102", "7", None, "")),
            mutated_text(choices, choices.pick(NAMES)),
            email=choices.pick((None, "zoe@example.test", "\u00e9@x.test", "")),
        )
        for place in range(choices.below(8))
    ]
    _check_lookups(choices, Directory(entries))


def _check_page(choices: Choices, page_class: type[Any], record_class: type[Any]) -> Any:
    records: Any = [record(choices, record_class) for _ in range(choices.below(5))]
    if choices.rarely():
        records.append(any_value(choices))
    if choices.flag():
        place = choices.below(len(records) + 1)
        records[place:place] = [{"uri": "x" * 700, "message": "]},{"}] * (FILLER // 700)
    page: Any = {"uri": "u", "records": any_value(choices) if choices.rarely() else records}
    if choices.flag():
        page["paging"] = record(choices, PresencePagingInfo)
    if choices.flag():
        page["navigation"] = record(choices, PresenceNavigationInfo)
    if choices.rarely():
        page = {name: page[name] for name in reversed(page)}
    body = choices.mutated(written(any_value(choices) if choices.rarely() else page))
    sliced = _result(lambda: _run(page_decoding.decode_page(body, page_class, record_class)))
    whole = _result(lambda: rest.load(body, page_class))
    assert sliced == whole
    if isinstance(whole, page_class):
        _check_paging(whole)
        return whole
    return None


def _run(steps: Generator[None, None, T]) -> T:
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result


def _result(decode: Any) -> Any:
    try:
        return decode()
    except DecodeError as error:
        check_error(error)
        return error.reason, error.path


def _check_paging(page: Any) -> None:
    try:
        after = paging.next_page(REQUEST, page, SERVER)
    except DecodeError as error:
        check_error(error)
    else:
        assert after is None or int(dict(after.params)["page"]) > 1
        assert after is None or after.path == REQUEST.path
    known = paging.known_pages(REQUEST, page)
    assert next(known, REQUEST).path == REQUEST.path


def _check_lookups(choices: Choices, directory: Directory) -> None:
    for _ in range(1 + choices.below(3)):
        text = mutated_text(choices, choices.pick(NAMES))
        folded = fold(text)
        assert fold(folded[:LONGEST_TEXT]) == folded[:LONGEST_TEXT].strip() or len(folded) > 250
        assert all(words_of(folded))
        found = directory.search(text, limit=5)
        assert len(found) <= 5
        assert all(directory[entry.id] is entry for entry in found)
        try:
            entry = directory.find(text)
        except LookupFailed as error:
            _check_failure(directory, error)
        else:
            assert directory[entry.id] is entry
            names = (entry.id, entry.extension_number, entry.email, entry.name)
            assert {folded, _swapped(folded)} & {fold(each or "") for each in names}


def _swapped(folded: str) -> str:
    last, _, first = folded.partition(",")
    return f"{first} {last}".strip()


def _check_failure(directory: Directory, error: LookupFailed) -> None:
    message = str(error)
    assert len(message) < 4000
    assert escaped(message) == message
    for entry in (*error.matches, *error.near):
        assert directory[entry.id] is entry
