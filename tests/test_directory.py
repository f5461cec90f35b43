"""The directory: which entry a text stands for."""

import pickle
from collections.abc import Generator
from typing import Any

import pytest
from hypothesis import given, strategies as st

from aiopresence import (
    Directory,
    DirectoryEntry,
    ExtensionStatus,
    ExtensionType,
    LookupFailed,
    PresenceError,
    UsageError,
)
from aiopresence.protocol.text_index import fold


def entry(id_: str, name: str | None = None, number: str | None = None, **more: Any) -> Any:
    return DirectoryEntry(id_, number, name, **more)


ZOE = entry("700201", "Zoë Torres", "101", email="Zoe.Torres@example.com")
OLGA = entry("700202", "Olga Zhang", "102", email="olga@example.com")
SALES = entry("700203", "Sales Queue", "2000", type=ExtensionType.DEPARTMENT)
NOBODY = entry("700204")
PEOPLE = Directory([OLGA, ZOE, SALES, NOBODY])


def test_it_is_a_mapping_from_ids_to_entries() -> None:
    assert PEOPLE["700201"] is PEOPLE[700201] is ZOE
    assert [*PEOPLE] == ["700202", "700201", "700203", "700204"]
    assert len(PEOPLE) == 4
    assert "700202" in PEOPLE
    assert "102" not in PEOPLE
    assert repr(PEOPLE) == "<Directory of 4 extensions>"


@pytest.mark.parametrize(
    "text",
    [
        "700201",
        "101",
        " 101 ",
        "zoe.torres@example.com",
        "ZOE.TORRES@EXAMPLE.COM",
        "Zoë Torres",
        "zoe  torres",
        "Zoe\u0308 TORRES",
        "Torres, Zoë",
        "torres,zoe",
    ],
)
def test_a_person_is_found_by_id_number_address_and_name(text: str) -> None:
    assert PEOPLE.find(text) is ZOE
    assert PEOPLE.ids("102", text, "Sales queue") == ["700202", "700201", "700203"]


def test_an_id_comes_before_a_number_an_address_and_a_name() -> None:
    by_id, by_number = entry("101", "Ann"), entry("5", "Bob", "101")
    by_address, by_name = entry("6", "Cai", email="7"), entry("8", "7")
    directory = Directory([by_name, by_address, by_number, by_id])
    assert directory.find("101") is by_id
    assert directory.find("7") is by_address


def test_those_in_use_persons_and_the_exact_name_are_preferred() -> None:
    gone = entry("1", "Ann Lee", type=ExtensionType.USER, status=ExtensionStatus.DISABLED)
    queue = entry("2", "Ann Lee", type=ExtensionType.DEPARTMENT, status=ExtensionStatus.ENABLED)
    user = entry("3", "Ann Lee", type=ExtensionType.USER, status=ExtensionStatus.ENABLED)
    accented = entry("4", "Ánn Lee", type=ExtensionType.USER)
    assert Directory([gone]).find("ann lee") is gone
    assert Directory([gone, queue]).find("ann lee") is queue
    assert Directory([gone, queue, user]).find("ann lee") is user
    both = Directory([gone, queue, user, accented])
    assert both.find("Ann Lee") is user
    assert both.find("Ánn Lee") is accented
    with pytest.raises(LookupFailed) as caught:
        both.find("ann lee")
    assert caught.value.matches == (user, accented)


def test_several_equal_matches_are_an_error_that_has_them() -> None:
    others = [entry(str(number), "Zoe Torres", str(number)) for number in range(110, 116)]
    with pytest.raises(LookupFailed) as caught:
        Directory([ZOE, *others]).find("zoe torres")
    assert caught.value.matches == (ZOE, *others)
    assert caught.value.text == "zoe torres"
    assert str(caught.value) == (
        '"zoe torres" matches 7 extensions: Zoë Torres (number 101, id 700201), Zoe Torres (number'
        " 110, id 110), Zoe Torres (number 111, id 111), Zoe Torres (number 112, id 112), Zoe"
        " Torres (number 113, id 113), and 2 more; use the id of one of them"
    )


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("Zoe Tores", [ZOE]),
        ("Zoo Torres", [ZOE]),
        ("zoe.torres@example.org", [ZOE]),
        ("olga@example", [OLGA]),
        ("1011", [ZOE]),
        ("Sale Queue", [SALES]),
        ("Zoe", [ZOE]),
        ("torres z", [ZOE]),
        ("Xaver", []),
        ("-(.", []),
        ("x" * 100_000, []),
    ],
)
def test_near_matches_are_in_the_error(text: str, near: list[DirectoryEntry]) -> None:
    with pytest.raises(LookupFailed, match="no extension is") as caught:
        PEOPLE.find(text)
    assert [*caught.value.near][:1] == near
    assert caught.value.matches == ()
    assert all(str(each.name) in str(caught.value) for each in near)
    assert len(str(caught.value)) < 500


def test_near_matches_are_looked_for_among_some_of_those_with_a_beginning() -> None:
    # All 5,001 would be sorted, and this one would be the first.
    last = entry("5000", "A Ann5000")
    directory = Directory([*(entry(str(n), f"B Ann{n:04}") for n in range(5000)), last])
    assert directory.search("ann", limit=1) == [last]
    with pytest.raises(LookupFailed) as caught:
        directory.find("ann")
    assert [each.id for each in caught.value.near] == ["0", "1", "2", "3", "4"]


def test_the_error_is_also_a_lookup_error() -> None:
    with pytest.raises(LookupError) as caught:
        PEOPLE.find("nobody")
    assert isinstance(caught.value, PresenceError)
    again = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - our own
    assert (str(again), again.text) == (str(caught.value), "nobody")


def test_one_error_has_all_texts_that_were_not_found() -> None:
    with pytest.raises(LookupFailed) as caught:
        PEOPLE.ids("101", "Zoe Tores", "102", "Xaver")
    assert caught.value.text == "Zoe Tores, Xaver"
    assert caught.value.near == (ZOE,)
    assert str(caught.value) == (
        'no extension is "Zoe Tores"; near matches: Zoë Torres (number 101, id 700201);'
        ' no extension is "Xaver"'
    )


@pytest.mark.fault
def test_names_cannot_change_the_terminal() -> None:
    directory = Directory([entry("1", "Zoe\x1b[2J\nTorres", "1\x1b")])
    with pytest.raises(LookupFailed) as caught:
        directory.find("zoe\x1b[2j torrez")
    assert str(caught.value).isprintable()
    assert r"Zoe\x1b[2J\nTorres (number 1\x1b, id 1)" in str(caught.value)


@pytest.mark.parametrize("text", ["", " \n"])
def test_an_empty_text_finds_nothing(text: str) -> None:
    assert PEOPLE.search(text) == []
    for method in (PEOPLE.find, PEOPLE.ids):
        with pytest.raises(LookupFailed, match="the text is empty"):
            method(text)


def test_only_the_first_errors_look_for_near_matches() -> None:
    with pytest.raises(LookupFailed) as caught:
        PEOPLE.ids(*(f"Zoe Torre{number}" for number in range(7)))
    assert caught.value.near == (ZOE,) * 5
    assert '"Zoe Torre6"' in str(caught.value)


def test_no_more_words_count_than_a_name_has() -> None:
    words = [f"w{number}" for number in range(9)]
    directory = Directory([entry("1", " ".join(words[:8]))])
    assert directory.search(" ".join(words)) == [directory["1"]]
    assert directory.search(" ".join(reversed(words))) == []


@pytest.mark.parametrize(
    "text", ["ma", "luna anne", "anne-marie", "Luna-Rossi, Anne\u2013Marie", "sal", "(sales", "n."]
)
def test_a_search_finds_each_part_of_a_double_name(text: str) -> None:
    anne = entry("700205", 'Anne-Marie "N. N." Luna-Rossi (Sales/East)')
    directory = Directory([ZOE, anne])
    assert directory.search(text) == [anne]


@pytest.mark.parametrize("text", ["Wanda O'Brien", "wanda o\u2019brien", "obrien, wanda"])
def test_apostrophes_do_not_matter(text: str) -> None:
    wanda = entry("700205", "Wanda O\u2019Brien")
    directory = Directory([*PEOPLE.values(), wanda])
    assert directory.find(text) is wanda
    assert directory.search("obri") == directory.search("o'bri") == [wanda]


@pytest.mark.parametrize("text", [101, None, b"101"])
def test_a_text_is_a_str(text: Any) -> None:
    for method in (PEOPLE.find, PEOPLE.search, PEOPLE.ids):
        with pytest.raises(UsageError, match="text"):
            method(text)


@pytest.mark.parametrize("limit", [0, -1, True, 1.5, None])
def test_a_limit_is_a_positive_number(limit: Any) -> None:
    with pytest.raises(UsageError, match="limit must be a positive int"):
        PEOPLE.search("z", limit=limit)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("z", [OLGA, ZOE]),
        ("zo", [ZOE]),
        ("TORRES z", [ZOE]),
        ("Torres, Z", [ZOE]),
        (",", []),
        ("10", [OLGA, ZOE]),
        ("olga@", [OLGA]),
        ("zoe.t", [ZOE]),
        ("torres x", []),
        ("x", []),
    ],
)
def test_a_search_finds_beginnings_of_words_numbers_and_addresses(
    text: str, found: list[DirectoryEntry]
) -> None:
    assert PEOPLE.search(text) == found


def test_search_results_are_sorted_by_name_and_number_and_limited() -> None:
    numbers = [1000, 99, 101, 98]
    same = [entry(str(700000 + number), "Ann Lee", str(number)) for number in numbers]
    first, last = entry("1", "Ángel Lee"), entry("2", None, None, email="lee@example.com")
    directory = Directory([last, *same, first])
    found = directory.search("lee")
    assert [each.extension_number for each in found] == [None, "98", "99", "101", "1000", None]
    assert (found[0], found[-1]) == (first, last)
    assert directory.search("lee", limit=2) == found[:2]


def test_a_large_directory_is_built_in_many_steps() -> None:
    entries = [
        entry(str(700000 + n), f"Ann Lee {n}", str(n), email=f"{n}@x.org") for n in range(5000)
    ]

    def steps() -> Generator[None, None, None]:
        directory = yield from Directory.build(entries)
        assert dict(directory) == {each.id: each for each in entries}
        assert directory.find("ann lee 4999") is directory.find("4999@x.org") is entries[4999]

    # At most 200 entries are indexed, or 1,000 texts sorted, in a step; not a few: steps take time.
    assert 3 * 5000 / 200 + 3 * 5000 / 1000 < sum(1 for _ in steps()) < 5000 / 10


def test_people_with_few_names_are_ranked_in_as_many_steps() -> None:
    entries = [entry(str(n), f"Ann Lee {n % 10}", str(n)) for n in range(5000)]
    assert sum(1 for _ in Directory.build(entries)) > 4 * 5000 / 500


def test_any_name_has_its_place_in_the_order() -> None:
    names = ["\U0010ffff", " ", None, "b", "", "a", "\U0010ffff", "A"]
    entries = [entry(str(place), name, "5") for place, name in enumerate(names)]
    found = Directory(entries).search("5", limit=99)
    assert [each.id for each in found] == ["1", "5", "7", "3", "0", "6", "2", "4"]


NAMES = st.lists(st.sampled_from(["Zoë", "zo", "Zoe", "Ánn", "an", "Lee", "é", "李"]), max_size=3)
ENTRIES = st.lists(st.tuples(NAMES, st.sampled_from([None, "1", "10", "101", "2"])), max_size=12)


@given(
    ENTRIES, st.lists(st.sampled_from(["z", "ZO", "zoé", "a", "l", "1", "10", "李"]), min_size=1)
)
def test_a_search_finds_what_looking_at_every_entry_finds(
    people: list[tuple[list[str], str | None]], words: list[str]
) -> None:
    entries = [
        entry(str(place), " ".join(names), number) for place, (names, number) in enumerate(people)
    ]
    found = Directory(entries).search(" ".join(words), limit=99)
    assert {each.id for each in found} == {each.id for each in entries if begin(each, words)}
    names = [fold(each.name or "") or "\U0010ffff" for each in found]
    assert names == sorted(names)


def begin(each: DirectoryEntry, words: list[str]) -> bool:
    names, number = fold(each.name or "").split(), each.extension_number or ""
    in_name = all(any(name.startswith(fold(word)) for name in names) for word in words)
    return in_name or (len(words) == 1 and number.startswith(words[0]))
