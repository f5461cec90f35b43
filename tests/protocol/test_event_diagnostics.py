"""What is said about a connection: each message once, and not too many."""

from aiopresence.protocol.event_diagnostics import MAX_DIAGNOSTICS, Diagnostics


def test_each_message_of_a_connection_is_returned_once() -> None:
    diagnostics = Diagnostics()
    assert not diagnostics
    for text in ("b", "a", "b"):
        diagnostics.add(text)
    assert diagnostics
    assert diagnostics.take() == ["b", "a"]
    assert not diagnostics
    diagnostics.add("a")
    assert diagnostics.take() == []
    diagnostics.restart()
    diagnostics.add("a")
    assert diagnostics.take() == ["a"]


def test_what_was_not_taken_is_kept_over_a_restart() -> None:
    diagnostics = Diagnostics()
    diagnostics.add("a")
    diagnostics.restart()
    assert diagnostics.take() == ["a"]


def test_a_message_has_one_line() -> None:
    diagnostics = Diagnostics()
    diagnostics.add("a\nb")
    diagnostics.add("a\nb")
    [text] = diagnostics.take()
    assert "\n" not in text


def test_the_messages_of_a_connection_are_bounded() -> None:
    diagnostics = Diagnostics()
    for number in range(MAX_DIAGNOSTICS + 1):
        diagnostics.add(f"{number}")
    assert diagnostics.take() == [f"{number}" for number in range(MAX_DIAGNOSTICS)]
    diagnostics.add("more")
    assert diagnostics.take() == []
