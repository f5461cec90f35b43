import pytest

from aiopresence.errors import UsageError
from aiopresence.sandbox import Sandbox
from tests.support.sandbox_raw import calling


async def test_the_directory_says_who_each_extension_is() -> None:
    async with calling(Sandbox(21)) as call:
        got = await call("GET", "directory/entries?showFederated=false")
        records = got.json["records"]
        assert got.status == 200
        assert got.headers["X-Rate-Limit-Group"] == "medium"
        assert {*got.json} == {"records", "paging"}
        assert [each["id"] for each in records] == [*call.sandbox.extension_ids]
        first, queue = records[0], records[19]
        assert first == {
            "id": call.sandbox.extension_ids[0],
            "type": "User",
            "status": "Enabled",
            "extensionNumber": "101",
            "firstName": first["firstName"],
            "lastName": first["lastName"],
            "email": first["email"],
            "department": "Sales",
            "jobTitle": "Sales Agent",
            "site": {"id": "main-site", "name": "Main Site"},
        }
        assert first["firstName"]
        assert first["lastName"]
        assert first["email"].endswith(".101@example.com")
        assert {*queue} == {"id", "type", "status", "extensionNumber", "name", "email", "site"}
        assert queue["type"] == "Department"
        assert queue["name"].endswith(" Queue")


async def test_the_directory_has_every_type_under_its_own_name() -> None:
    async with calling(Sandbox(220)) as call:
        records = (await call("GET", "directory/entries")).json["records"]
        assert {each["type"] for each in records} == {
            "User", "Department", "IvrMenu", "Voicemail", "Announcement", "FaxUser", "PagingOnly",
            "SharedLinesGroup", "ParkLocation", "ApplicationExtension",
        }  # fmt: skip
        emails = [each["email"] for each in records]
        assert len({*emails}) == 220
        assert all(email.isascii() for email in emails)


async def test_the_directory_has_pages_of_twice_the_size() -> None:
    async with calling(Sandbox(45, page_limit=10)) as call:
        got = (await call("GET", "directory/entries?page=3&perPage=2000")).json
        assert len(got["records"]) == 5
        assert got["paging"] == {
            "page": 3,
            "perPage": 20,
            "pageStart": 40,
            "pageEnd": 44,
            "totalPages": 3,
            "totalElements": 45,
        }
        assert (await call("GET", "directory/entries?page=0")).status == 400
        assert (await call("GET", "directory/entries?showFederated=no")).status == 400


async def test_the_directory_needs_the_permission_to_read_accounts() -> None:
    async with calling(Sandbox(5)) as call:
        call.sandbox.forbid("ReadAccounts")
        refused = await call("GET", "directory/entries")
        assert refused.status == 403
        assert "[ReadAccounts]" in refused.json["message"]


async def test_a_test_can_change_who_an_extension_is() -> None:
    async with calling(Sandbox(20)) as call:
        sandbox = call.sandbox
        name = "<script>alert(1)</script> O'Neil"
        sandbox.set_extension("~", name=name, number="7", email="x@example.com", status="Disabled")
        sandbox.set_extension(sandbox.queue_ids[0], name="Empty", department="", email="")
        records = (await call("GET", "directory/entries")).json["records"]
        assert (
            records[0].items()
            >= {
                "firstName": "<script>alert(1)</script>",
                "lastName": "O'Neil",
                "extensionNumber": "7",
                "email": "x@example.com",
                "status": "Disabled",
            }.items()
        )
        assert records[19]["name"] == "Empty"
        assert "email" not in records[19]
        listed = (await call("GET", "extension")).json["records"][0]
        assert (listed["name"], listed["contact"]["email"]) == (name, "x@example.com")


async def test_a_test_can_add_a_person() -> None:
    async with calling(Sandbox(20)) as call:
        new = call.sandbox.add_extension("Zoë Torres", job_title="Chef")
        last = (await call("GET", "directory/entries")).json["records"][-1]
        assert last == {
            "id": new,
            "type": "User",
            "status": "Enabled",
            "extensionNumber": "121",
            "site": {"id": "main-site", "name": "Main Site"},
            "firstName": "Zoë",
            "lastName": "Torres",
            "email": "zoe.torres.121@example.com",
            "jobTitle": "Chef",
        }
        assert call.sandbox.user_ids[-1] == new
        assert (await call("GET", f"extension/{new}/presence")).status == 200


async def test_wrong_names_and_values_change_nothing() -> None:
    sandbox = Sandbox(5)
    ids = sandbox.extension_ids
    for change in ({"name": "Ann", "colour": "red"}, {"name": "Ann", "number": 5}):
        with pytest.raises(UsageError, match=r"colour|number"):
            sandbox.set_extension("~", **change)
        with pytest.raises(UsageError, match=r"colour|number"):
            sandbox.add_extension(**change)
    assert sandbox.extension_ids == ids
    assert sandbox._state.account.caller.name != "Ann"
    with pytest.raises(UsageError, match="no extension"):
        sandbox.set_extension("5", name="Ann")
