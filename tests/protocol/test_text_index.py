"""Texts without their spelling, and the index that finds them."""

from collections.abc import Generator

import pytest

from aiopresence.protocol.text_index import (
    ITEMS_PER_SLICE,
    LONGEST_TEXT,
    TextIndex,
    fold,
    in_order,
    words_of,
)


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Zoë Torres", "zoe torres"),
        ("  ZOE \t TORRES\n", "zoe torres"),
        ("Zoe\u0308 Torres", "zoe torres"),
        ("Łukasz Sørensen", "lukasz sorensen"),
        ("Straße", "strasse"),
        ("İpek", "ipek"),
        ("\uff11\uff10\uff11", "101"),  # wide digits
        ("\u3000Zoe\u00a0Torres", "zoe torres"),
        ("日本 太郎", "日本 太郎"),
        ("Wanda O\u2019Brien\u2010Smith", "wanda obrien-smith"),
        ("Wanda O'Brien-Smith", "wanda obrien-smith"),
        ("", ""),
    ],
)
def test_spelling_does_not_matter(text: str, folded: str) -> None:
    assert fold(text) == folded
    assert fold(folded) == folded


def test_only_the_beginning_of_a_text_counts_and_accents_take_no_time() -> None:
    # To order the accents of one letter would take minutes.
    assert fold("Zo̧̕" + "̧̕" * 10**6) == "zo"
    assert fold("ab" * LONGEST_TEXT) == "ab" * (LONGEST_TEXT // 2)


def test_words_end_at_blanks_and_punctuation() -> None:
    assert words_of('anne-marie "nn" luna (sales/east)') == [
        *("anne", "marie", "nn", "luna", "sales", "east")
    ]
    assert words_of("-(.") == words_of("") == []


def drained(index: TextIndex) -> int:
    return sum(1 for _ in index.sort())


def test_a_text_may_have_several_numbers() -> None:
    index = TextIndex()
    for number, key in enumerate(["a", "b", "a", "a"]):
        index.add(key, number)
    drained(index)
    assert [[*index.get(key)] for key in ("a", "b", "c", "")] == [[0, 2, 3], [1], [], []]


def test_texts_with_a_beginning_are_found() -> None:
    index = TextIndex()
    words = ["zoe", "zo", "zoltan", "z\U0010fffe", "y", "zo"]
    for number, key in enumerate(words):
        index.add(key, number)
    drained(index)
    assert index.keys("z") == ["zo", "zoe", "zoltan", "z\U0010fffe"]
    assert index.keys("zo") == ["zo", "zoe", "zoltan"]
    assert [*index.starting("zo")] == [1, 5, 0, 2]
    assert [*index.starting("zoes")] == [*index.starting("a")] == []
    assert index.keys("zoes") == []
    assert index.keys("") == sorted({*words})


def test_many_texts_are_sorted_in_slices() -> None:
    items = [number * 7919 % 3001 for number in range(3 * ITEMS_PER_SLICE)]

    def steps() -> Generator[None, None, None]:
        assert (yield from in_order(items)) == sorted(items)

    assert sum(1 for _ in steps()) == 3 + 3


def test_a_key_decides_the_order_of_many_items() -> None:
    items = [number * 7919 % 3001 for number in range(3 * ITEMS_PER_SLICE)]

    def steps(count: int) -> Generator[None, None, list[int]]:
        return (yield from in_order(items[:count], key=lambda item: -item))

    for count in (ITEMS_PER_SLICE // 2, ITEMS_PER_SLICE, ITEMS_PER_SLICE + 1, len(items)):
        stepped, result = steps(count), None
        while result is None:
            try:
                next(stepped)
            except StopIteration as stopped:
                result = stopped.value
        assert result == sorted(items[:count], reverse=True)


def test_an_index_is_built_in_slices() -> None:
    index = TextIndex()
    for number in range(2 * ITEMS_PER_SLICE + 1):
        index.add(f"{number:06}", number)
    assert drained(index) >= 4
    assert index.keys()[:2] == ["000000", "000001"]
    assert index.keys("00001")[-1] == "000019"


def test_without_a_beginning_all_texts_are_found() -> None:
    index = TextIndex()
    index.add("\U0010ffffz", 1)
    index.add("a", 2)
    drained(index)
    assert index.keys() == ["a", "\U0010ffffz"]


def test_an_index_is_empty_until_it_is_sorted() -> None:
    index = TextIndex()
    index.add("a", 1)
    assert (index.keys(), [*index.get("a")], [*index.starting("a")]) == ([], [], [])
    drained(index)
    assert (index.keys(), [*index.get("a")], [*index.starting("a")]) == (["a"], [1], [1])


def test_the_pauses_of_an_index_are_a_slice_apart() -> None:
    index = TextIndex()
    for number in range(3 * ITEMS_PER_SLICE):
        index.add(f"{number:06}", number)
    # Three slices are sorted, merged, and indexed; the first text is a slice of its own.
    assert drained(index) == 3 + 3 + 3
