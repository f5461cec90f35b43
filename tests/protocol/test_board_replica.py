from datetime import timedelta
from random import Random

from hypothesis import given, strategies as st

from aiopresence import ChangeSource, NotFound, PresenceChange, PresenceError
from aiopresence.models import DisabledFilterInfo
from aiopresence.protocol.board_json import BoardEntry, BoardStatus, dump_entry, dump_status
from aiopresence.protocol.board_replica import (
    NEVER,
    BoardReplica,
    Version,
    format_version,
    parse_version,
)
from tests.support.presence_state import NOW, record


def state(id_: str, message: str | None, error: PresenceError | None = None) -> bytes:
    known = None if message is None else record(id_, message=message)
    is_rejected = error is not None and known is None
    return dump_entry(BoardEntry(known, error, is_rejected, ChangeSource.EVENT, NOW))


def live(**fields: object) -> bytes:
    given = {"is_following": True, "is_live": True, "is_ready": True, "stale": frozenset[str]()}
    return dump_status(BoardStatus(**{**given, **fields}))  # type: ignore[arg-type]


LATER = NOW + timedelta(minutes=1)


def test_versions_are_read_strictly() -> None:
    assert parse_version(b"12-3") == (12, 3)
    assert format_version((12, 3)) == "12-3"
    assert format_version(NEVER) == ""
    for text in (b"", b"1", b"-1", b"1-", b"1-2-3", b"1-x", b"9" * 30 + b"-1", "1-1", None, 7):
        assert parse_version(text) is None


def test_a_change_has_what_the_follower_published() -> None:
    replica = BoardReplica(None)
    first, second = record("1", message="a"), record("1", message="b")
    assert replica.apply("1", (1, 1), state("1", "a"), LATER) == (
        PresenceChange("1", None, first, ChangeSource.EVENT, NOW)
    )
    assert replica.apply("1", (1, 2), state("1", "a"), LATER) is None
    assert replica.apply("1", (1, 3), state("1", "b"), LATER) == (
        PresenceChange("1", first, second, ChangeSource.EVENT, NOW)
    )
    # It is not known when and how an extension has gone.
    assert replica.apply("1", (1, 4), b"", LATER) == (
        PresenceChange("1", second, None, ChangeSource.ACCOUNT, LATER)
    )
    assert replica.apply("1", (1, 5), b"", LATER) is None


def test_a_change_leaves_the_order_of_the_extensions() -> None:
    replica = BoardReplica(None)
    for number, id_ in enumerate("121", 1):
        replica.apply(id_, (1, number), state(id_, f"{number}"), NOW)
    assert [*replica.records] == ["1", "2"]


def test_an_older_state_is_ignored() -> None:
    replica = BoardReplica(None)
    replica.apply("1", (2, 5), state("1", "new"), NOW)
    for version in ((2, 5), (2, 4), (1, 9)):
        assert replica.apply("1", version, state("1", "old"), NOW) is None
    assert replica.records["1"].message == "new"
    assert replica.apply("1", (3, 0), state("1", "newer"), NOW)


def test_errors_and_rejections_follow_the_state() -> None:
    replica = BoardReplica(None)
    replica.apply("1", (1, 1), state("1", "a", NotFound(404)), NOW)
    assert (set(replica.errors), replica.rejected) == ({"1"}, set())
    assert vars(replica.errors["1"]) == vars(NotFound(404))
    change = replica.apply("1", (1, 2), state("1", None, NotFound(404)), NOW)
    assert change is not None
    assert change.new is None
    assert (set(replica.records), set(replica.errors), replica.rejected) == (set(), {"1"}, {"1"})
    replica.apply("1", (1, 3), state("1", "b"), NOW)
    assert (set(replica.records), replica.errors, replica.rejected) == ({"1"}, {}, set())
    gone = replica.apply("1", (1, 4), b"", NOW)
    assert gone is not None
    assert (gone.new, replica.records) == (None, {})


def test_what_cannot_be_read_leaves_the_last_state_stale() -> None:
    replica = BoardReplica(None)
    replica.apply("1", (1, 1), state("1", "a"), NOW)
    replica.advance((1, 1), live())
    assert not replica.is_stale("1")
    assert replica.apply("1", (1, 2), b"{", NOW) is None
    assert replica.is_stale("1")
    assert replica.records["1"].message == "a"
    replica.apply("1", (1, 2), state("1", "b"), NOW)
    assert not replica.is_stale("1")
    replica.mark_unreadable("../x")
    assert not replica.unreadable


def test_extensions_that_are_not_followed_are_ignored() -> None:
    some, everyone = BoardReplica(["1"]), BoardReplica(None)
    for id_ in ("2", "x"):
        assert some.apply(id_, (1, 1), state(id_, "a"), NOW) is None
        some.mark_unreadable(id_)
    assert not some.records
    assert not some.unreadable
    assert some.includes("1")
    assert everyone.includes("2")
    assert not everyone.includes("x")


def test_an_entry_follows_only_the_one_that_it_names() -> None:
    replica = BoardReplica(None)
    assert replica.follows(b"", (1, 0))
    replica.advance((1, 0), b"")
    assert replica.follows(b"1-0", (1, 1))
    assert replica.follows(b"1-0", (9, 0))
    for before in (b"", b"1-1", b"01-0", None):
        assert not replica.follows(before, (1, 1))
    assert not replica.follows(b"1-0", (1, 0))


def test_the_status_decides_what_is_stale() -> None:
    disabled = (DisabledFilterInfo("/restapi/v1.0/account/~/extension/3/presence", "x", "y"),)
    replica = BoardReplica(None)
    for id_ in ("1", "2", "3"):
        replica.apply(id_, (1, 1), state(id_, "a"), NOW)
    assert replica.is_stale("1")
    replica.advance((1, 1), live(stale=frozenset({"2"}), disabled_filters=disabled))
    assert [replica.is_stale(id_) for id_ in ("1", "2", "3", "4")] == [False, True, True, True]
    replica.advance((1, 2), b"")
    assert not replica.is_stale("1")
    replica.advance((1, 3), live(is_following=False))
    assert replica.is_stale("1")
    replica.advance((1, 4), live(stale=None))
    assert replica.is_stale("1")


def test_a_new_follower_makes_all_stale_and_leaves_the_rest() -> None:
    replica = BoardReplica(None)
    replica.apply("1", (1, 1), state("1", "a"), NOW)
    replica.advance((1, 1), live(error=NotFound(404)))
    replica.advance((2, 0), b"")
    assert replica.status == BoardStatus(is_ready=True)
    assert replica.is_stale("1")
    disabled = (DisabledFilterInfo("/restapi/v1.0/account/~/extension/3/presence", "x", "y"),)
    replica.advance((2, 1), live(disabled_filters=disabled))
    replica.advance((3, 0), b"")
    assert replica.status == BoardStatus(is_ready=True, disabled_filters=disabled)
    # A snapshot right then has the status of the follower before.
    replica.advance((2, 0), live())
    assert replica.status == BoardStatus(is_ready=True)


def test_what_a_snapshot_does_not_have_is_removed() -> None:
    replica = BoardReplica(None)
    for id_ in ("1", "2"):
        replica.apply(id_, (1, 1), state(id_, "a"), NOW)
    replica.apply("3", (1, 1), state("3", None, NotFound(404)), NOW)
    replica.mark_unreadable("4")
    assert replica.retain({"2"}, LATER) == [
        PresenceChange("1", record("1", message="a"), None, ChangeSource.ACCOUNT, LATER)
    ]
    assert set(replica.records) == {"2"}
    assert not replica.errors
    assert not replica.rejected
    assert not replica.unreadable
    # What is gone may come back with any version: the next snapshot has it.
    assert replica.apply("1", (1, 1), state("1", "a"), NOW)


def test_what_cannot_be_read_of_a_snapshot_stays_marked() -> None:
    replica = BoardReplica(None)
    replica.mark_unreadable("1")
    assert replica.retain({"1"}, NOW) == []
    assert replica.unreadable == {"1"}


VERSIONS = st.integers(1, 40).map(lambda number: (1 + number // 15, number))


@given(
    st.lists(st.tuples(st.sampled_from("123"), VERSIONS), max_size=30, unique_by=lambda x: x[1]),
    st.randoms(use_true_random=False),
)
def test_in_any_order_the_newest_states_remain_and_none_goes_back(
    published: list[tuple[str, Version]], random: Random
) -> None:
    replica, arrived, shown = BoardReplica(None), published * 2, dict[str, Version]()
    random.shuffle(arrived)
    for id_, version in arrived:
        change = replica.apply(id_, version, state(id_, format_version(version)), NOW)
        if change is not None:
            assert version > shown.get(id_, NEVER)
            shown[id_] = version
    newest = {id_: max(v for each, v in published if each == id_) for id_, _ in published}
    assert shown == newest
    known = {id_: known.message for id_, known in replica.records.items()}
    assert known == {id_: format_version(version) for id_, version in newest.items()}
