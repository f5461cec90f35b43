"""Records of both listings as entries that take little memory."""

import gc

from aiopresence import DirectoryEntry, ExtensionStatus, ExtensionType, SiteBasicInfo
from aiopresence.protocol.directory_pages import (
    DirectoryAccount,
    DirectoryRecord,
    EntryMaker,
    ExtensionContact,
)


def test_a_record_of_the_list_has_its_contact_in_the_entry() -> None:
    contact = ExtensionContact("Ann", "Lee", "ann@example.com", "Sales", "Agent")
    record = DirectoryRecord("1", "101", "Ann Lee", contact=contact)
    assert [*EntryMaker("~").entries([record])] == [
        DirectoryEntry(
            *("1", "101", "Ann Lee", "Ann", "Lee", "ann@example.com"),
            department="Sales",
            job_title="Agent",
        )
    ]


def test_equal_values_of_all_pages_are_one_object() -> None:
    maker = EntryMaker("~")
    [one] = maker.entries([DirectoryRecord("1", last_name="".join("Lee"), site=SiteBasicInfo("7"))])
    [two] = maker.entries([DirectoryRecord("2", last_name="".join("Lee"), site=SiteBasicInfo("7"))])
    assert one.last_name is two.last_name
    assert one.site is two.site


def test_a_value_of_an_enum_is_not_taken_for_an_equal_text() -> None:
    user = "".join("User")
    records = [DirectoryRecord("1", first_name=user), DirectoryRecord("2", type=ExtensionType.USER)]
    one, two = EntryMaker("~").entries(records)
    assert type(one.first_name) is str
    assert type(two.type) is ExtensionType


def test_the_collector_need_not_visit_entries() -> None:
    entries = EntryMaker("~").entries([DirectoryRecord("1", site=SiteBasicInfo("7"))])
    assert [gc.is_tracked(part) for entry in entries for part in (entry, entry.site)] == [False] * 2


def test_records_of_another_account_are_left_out_if_the_own_one_is_known() -> None:
    records = [DirectoryRecord(str(n), account=DirectoryAccount(str(n))) for n in (5, 6)]
    assert [each.id for each in EntryMaker("5").entries(records)] == ["5"]
    assert [each.id for each in EntryMaker("~").entries(records)] == ["5", "6"]


def test_an_entry_has_all_that_the_directory_says() -> None:
    record = DirectoryRecord(
        "1",
        "101",
        first_name="Ann",
        last_name="Lee",
        type=ExtensionType.USER,
        status=ExtensionStatus.ENABLED,
        email="ann@example.com",
        department="Sales",
        job_title="Agent",
        site=SiteBasicInfo("7", "Berlin"),
    )
    assert [*EntryMaker("~").entries([record])] == [
        DirectoryEntry(
            *("1", "101", "Ann Lee", "Ann", "Lee", "ann@example.com"),
            type=ExtensionType.USER,
            status=ExtensionStatus.ENABLED,
            department="Sales",
            job_title="Agent",
            site=SiteBasicInfo("7", "Berlin"),
        )
    ]
