"""Lists that come in pages: the account's presence, and the directory."""

import pytest

from aiopresence import InvalidRequest, PermissionDenied, PresenceSession
from tests.support.servers import AnyServer


def id_of(record: object) -> str:
    return str(record.extension.id)  # type: ignore[attr-defined]


@pytest.mark.parametrize("per_page", [7, 50, 1000])
async def test_each_extension_is_on_one_page(
    server: AnyServer, session: PresenceSession, per_page: int
) -> None:
    ids = [id_of(each) async for each in session.iter_account_presence(per_page=per_page)]
    assert sorted(ids) == sorted(server.extension_ids)
    # Without totals and links, a last page that is full is followed by one that is empty.
    pages = -(-len(ids) // per_page)
    assert pages <= server.count("/account/~/presence") <= pages + 1


async def test_one_page_can_be_read(server: AnyServer, session: PresenceSession) -> None:
    page = await session.read_account_presence(page=2, per_page=10, detailed_telephony_state=True)
    assert page.records is not None
    assert len(page.records) == 10
    assert all(each.active_calls is not None for each in page.records[:5])
    assert page.paging is not None
    assert page.paging.per_page == 10


async def test_a_page_before_the_first_is_refused(
    server: AnyServer, session: PresenceSession
) -> None:
    response = "/restapi/v1.0/account/~/presence"
    with pytest.raises(InvalidRequest) as caught:
        await session.request("GET", response, params={"page": "0"})
    assert caught.value.error_code == "CMN-101"


async def test_the_directory_has_everybody(server: AnyServer, session: PresenceSession) -> None:
    directory = await session.read_directory()
    assert sorted(directory) == sorted(server.extension_ids)
    entry = directory[server.user_ids[3]]
    assert entry.extension_number is not None
    assert directory.find(entry.extension_number).id == server.user_ids[3]
    assert directory.find(str(entry.name)).id == server.user_ids[3]


async def test_the_directory_needs_a_permission(
    server: AnyServer, session: PresenceSession
) -> None:
    server.forbid("ReadAccounts")
    with pytest.raises(PermissionDenied) as caught:
        await session.read_directory()
    assert caught.value.request_id
