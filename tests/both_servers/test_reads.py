"""Reads of one and of many extensions."""

from typing import Literal

import pytest

from aiopresence import GetPresenceInfo, NotFound, Outcome, PresenceSession
from tests.support.servers import FAULT_KINDS, AnyServer, FaultKind

Format = Literal["multipart", "json"]


def same(server: AnyServer, outcome: Outcome[GetPresenceInfo]) -> bool:
    """Say whether an outcome has the true record of its id."""
    truth, value = server.presence(outcome.id), outcome.unwrap()
    assert value.extension is not None
    return (value.extension.id, value.presence_status, value.user_status, value.dnd_status) == (
        str(truth["extension"]["id"]),
        truth["presenceStatus"],
        truth.get("userStatus"),
        truth.get("dndStatus"),
    )


@pytest.mark.parametrize("batch_format", ["multipart", "json"])
async def test_each_id_gets_its_own_answer_in_order(
    server: AnyServer, batch_format: Format
) -> None:
    for number, id_ in enumerate(server.user_ids):
        server.set_presence(id_, user_status=("Available", "Busy", "Offline")[number % 3])
    known = server.extension_ids
    ids = [known[5], "404", *known, "~", "405", known[5]]
    async with PresenceSession(
        server.grant, server=server.url, batch_format=batch_format
    ) as session:
        result = await session.read_user_presence_statuses(ids)
    assert [each.id for each in result] == ids
    assert all(same(server, each) for each in result if each.id not in {"404", "405"})
    assert [type(each) for each in result.errors.values()] == [NotFound, NotFound]
    assert server.count("/extension/") == 5  # 30 ids at a time, and the tilde by itself


async def test_a_stream_of_ids_is_answered_in_order(
    server: AnyServer, session: PresenceSession
) -> None:
    ids = [*server.extension_ids, "404"] * 3
    outcomes = [each async for each in session.iter_user_presence_statuses(ids)]
    assert [each.id for each in outcomes] == ids
    assert all(same(server, each) for each in outcomes if each.id != "404")


async def test_pages_of_the_account_have_the_same_answers(
    server: AnyServer, session: PresenceSession
) -> None:
    ids = [*server.extension_ids[::-1], "404"]
    result = await session.read_user_presence_statuses(ids, route="account")
    assert [each.id for each in result] == ids
    assert all(same(server, each) for each in result if each.id != "404")
    assert isinstance(result.errors["404"], NotFound)
    assert server.count("/account/~/presence") == 1


async def test_one_id_is_a_plain_record(server: AnyServer, session: PresenceSession) -> None:
    server.set_presence(server.user_ids[1], message="Back at 3 — 午後")
    result = await session.read_user_presence_statuses([server.user_ids[1]])
    assert result[0].unwrap().message == "Back at 3 — 午後"
    assert (await session.read_user_presence_status()).extension is not None


async def test_calls_are_shown_if_asked_for(server: AnyServer, session: PresenceSession) -> None:
    id_ = server.user_ids[2]
    call = {
        "id": "c1",
        "direction": "Inbound",
        "from": "+16505550100",
        "telephonyStatus": "CallConnected",
        "startTime": "2026-01-02T03:04:05.000+0000",
        "sipData": {"callId": "sip-1", "remoteUri": "sip:a@b"},
    }
    server.set_presence(id_, active_calls=[call])
    plain = await session.read_user_presence_status(id_)
    detailed = await session.read_user_presence_status(id_, detailed_telephony_state=True)
    with_sip = await session.read_user_presence_status(id_, sip_data=True)
    assert not plain.active_calls
    assert detailed.active_calls is not None
    assert detailed.active_calls[0].from_ == "+16505550100"
    assert detailed.active_calls[0].sip_data is None
    assert with_sip.active_calls is not None
    assert with_sip.active_calls[0].sip_data is not None
    assert with_sip.active_calls[0].sip_data.call_id == "sip-1"


async def test_a_queue_has_no_status_of_its_own(
    server: AnyServer, session: PresenceSession
) -> None:
    presence = await session.read_user_presence_status(server.queue_ids[0])
    assert presence.presence_status == "Offline"
    assert (presence.user_status, presence.telephony_status, presence.message) == (None,) * 3


async def test_unified_presence_of_many(server: AnyServer, session: PresenceSession) -> None:
    server.set_presence(server.user_ids[4], dnd_status="DoNotAcceptAnyCalls")
    ids = [*server.user_ids[:40], "404"]
    result = await session.read_unified_presences(ids)
    assert [each.id for each in result] == ids
    assert [*result.errors] == ["404"]
    assert result.values[server.user_ids[4]].status == "DND"
    own = (await session.read_unified_presence()).glip
    others = result.values[server.user_ids[1]].glip
    assert own is not None
    assert others is not None
    assert (own.visibility, others.visibility) == ("Visible", None)


@pytest.mark.parametrize("fault", FAULT_KINDS)
async def test_every_id_is_answered_in_spite_of_a_fault(
    server: AnyServer, session: PresenceSession, fault: FaultKind
) -> None:
    await session.read_user_presence_status()
    fired = server.fail(fault, "/extension/", times=1)
    result = await session.read_user_presence_statuses(server.extension_ids)
    assert fired() == 1
    assert len(result) == len(server.extension_ids)
    assert all(same(server, each) for each in result)
