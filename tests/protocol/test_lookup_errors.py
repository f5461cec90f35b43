"""What is said of texts that stand for no extension, or for several."""

from aiopresence import DirectoryEntry, LookupFailed
from aiopresence.protocol.lookup_errors import LONGEST, SHOWN, all_in_one, ambiguous, unknown


def entries(count: int) -> list[DirectoryEntry]:
    return [DirectoryEntry(str(n), str(100 + n), f"Ann {n}") for n in range(1, count + 1)]


def test_a_text_of_several_extensions_lists_them() -> None:
    error = ambiguous("ann", entries(2))
    assert str(error) == (
        '"ann" matches 2 extensions: Ann 1 (number 101, id 1), Ann 2 (number 102, id 2);'
        " use the id of one of them"
    )
    assert (error.text, [*error.matches], [*error.near]) == ("ann", entries(2), [])


def test_a_text_of_no_extension_lists_those_that_are_like_it() -> None:
    assert str(unknown("bob", [])) == 'no extension is "bob"'
    error = unknown("amn", entries(1))
    assert str(error) == 'no extension is "amn"; near matches: Ann 1 (number 101, id 1)'
    assert (error.text, [*error.matches], [*error.near]) == ("amn", [], entries(1))


def test_a_message_has_the_first_entries_and_the_number_of_the_others() -> None:
    as_many_as_fit, more = (str(unknown("a", entries(n))) for n in (SHOWN, SHOWN + 2))
    assert as_many_as_fit.endswith("Ann 5 (number 105, id 5)")
    assert more == f"{as_many_as_fit}, and 2 more"


def test_entries_without_name_or_number_have_their_id() -> None:
    assert str(unknown("a", [DirectoryEntry("7")])).endswith(": unnamed (id 7)")


def test_texts_are_cut_and_cannot_change_a_terminal() -> None:
    long = "x" * 200
    entry = DirectoryEntry("9" * 30, "8" * 30, long)
    message = str(unknown(long, [entry]))
    name = "x" * (LONGEST - 1) + "…"
    number, id_ = "8" * 19 + "…", "9" * 19 + "…"
    assert message == (
        f'no extension is "{name}"; near matches: {name} (number {number}, id {id_})'
    )
    assert "\x1b" not in str(ambiguous("\x1b[1m", [DirectoryEntry("1", "\x1b", "\x1b")] * 2))


def test_several_errors_are_one_that_has_everything() -> None:
    first, second = ambiguous("ann", entries(2)), unknown("amn", entries(1))
    assert all_in_one([first]) is first
    both = all_in_one([first, second])
    assert isinstance(both, LookupFailed)
    assert str(both) == f"{first}; {second}"
    assert both.text == "ann, amn"
    assert [*both.matches] == entries(2)
    assert [*both.near] == entries(1)
