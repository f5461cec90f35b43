from aiopresence.sandbox import Sandbox
from tests.support.sandbox_raw import calling


async def test_the_list_has_the_name_and_number_of_each_extension() -> None:
    async with calling(Sandbox(21)) as call:
        got = await call("GET", "extension")
        records = got.json["records"]
        first, last = records[0], records[-1]
        account = f"{call.sandbox.url}/restapi/v1.0/account/{call.sandbox.account_id}"
        assert got.status == 200
        assert got.headers["X-Rate-Limit-Group"] == "medium"
        assert got.json["uri"] == f"{account}/extension"
        assert [str(each["id"]) for each in records] == [*call.sandbox.extension_ids]
        assert first == {
            "id": int(call.sandbox.extension_ids[0]),
            "uri": f"{account}/extension/{call.sandbox.extension_ids[0]}",
            "extensionNumber": "101",
            "name": first["name"],
            "type": "User",
            "status": "Enabled",
            "contact": first["contact"],
            "site": {"id": "main-site", "name": "Main Site"},
        }
        assert {*first["contact"]} == {"firstName", "lastName", "email", "department", "jobTitle"}
        assert first["name"]
        assert (records[19]["type"], last["type"]) == ("Department", "User")


async def test_the_list_has_pages() -> None:
    async with calling(Sandbox(25)) as call:
        got = (await call("GET", "extension?page=2&perPage=10")).json
        assert [each["extensionNumber"] for each in got["records"]] == [
            str(number) for number in range(111, 121)
        ]
        assert got["paging"] == {
            "page": 2,
            "perPage": 10,
            "pageStart": 10,
            "pageEnd": 19,
            "totalPages": 3,
            "totalElements": 25,
        }
        uri = f"{got['uri']}?page={{}}&perPage=10"
        assert got["navigation"] == {
            "firstPage": {"uri": uri.format(1)},
            "previousPage": {"uri": uri.format(1)},
            "nextPage": {"uri": uri.format(3)},
            "lastPage": {"uri": uri.format(3)},
        }
        last = (await call("GET", "extension?page=3&perPage=10")).json
        assert len(last["records"]) == 5
        assert "nextPage" not in last["navigation"]
        assert (await call("GET", "extension?page=0")).status == 400


async def test_the_list_needs_the_permission_to_read_accounts() -> None:
    async with calling(Sandbox(5)) as call:
        call.sandbox.forbid("ReadPresence")
        assert (await call("GET", "extension")).status == 200
        call.sandbox.forbid("ReadAccounts")
        refused = await call("GET", "extension")
        assert refused.status == 403
        assert "[ReadAccounts]" in refused.json["message"]
        call.sandbox.permit("ReadPresence")
        assert (await call("GET", "presence")).status == 200


async def test_the_list_is_read_only() -> None:
    async with calling(Sandbox(5)) as call:
        refused = await call("POST", "extension", json={})
        assert (refused.status, refused.headers["Allow"]) == (405, "GET")
        assert (await call("GET", "/restapi/v1.0/account/1/extension")).status == 404
