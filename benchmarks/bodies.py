"""Response bodies to measure with, as the sandbox writes them."""

import asyncio
import json

import aiohttp
import attrs
from yarl import URL

from aiopresence.protocol.batch_formats import MULTIPART_JSON
from aiopresence.protocol.rest import Response
from aiopresence.sandbox import Sandbox

from . import bare

# Changes before anything is read: then about every second extension has a call, or had one.
CHANGES = 400
# Every record repeats the server's name; it is as long as in production.
SERVER = "https://platform.ringcentral.com"


@attrs.frozen
class Bodies:
    """Responses for the same 30 extensions, and pages of 1,000.

    Attributes:
        ids: the 30.
        plain: as multipart.
        detailed: as multipart, with calls.
        indented: the same, indented as in RingCentral's documentation.
        array: as an array, with calls.
        page: a page of the account.
        detailed_page: a page of the account, with calls.
    """

    ids: tuple[str, ...]
    plain: Response
    detailed: Response
    indented: Response
    array: Response
    page: Response
    detailed_page: Response


async def _take() -> Bodies:
    async with Sandbox(1000) as sandbox, aiohttp.ClientSession() as http:
        life = sandbox.simulate(1.0)
        for _ in range(CHANGES):
            life.step()
        ids = sandbox.extension_ids[:30]

        async def get(path: str, accept: str = "*/*") -> Response:
            url = URL(f"{sandbox.url}/restapi/v1.0/account/~/{path}", encoded=True)
            headers = {"Authorization": authorization, "Accept": accept}
            async with http.get(url, headers=headers) as response:
                return Response(
                    response.status,
                    {name.lower(): value for name, value in response.headers.items()},
                    (await response.read()).replace(sandbox.url.encode(), SERVER.encode()),
                )

        authorization = await bare.log_in(http, sandbox.url, sandbox.grant)
        batch, detailed_query = f"extension/{','.join(ids)}/presence", "detailedTelephonyState=true"
        detailed = await get(f"{batch}?{detailed_query}")
        return Bodies(
            ids,
            await get(batch),
            detailed,
            attrs.evolve(detailed, body=_indented(detailed.body)),
            await get(f"{batch}?{detailed_query}", MULTIPART_JSON),
            await get("presence?perPage=1000"),
            await get(f"presence?perPage=1000&{detailed_query}"),
        )


def _indented(body: bytes) -> bytes:
    lines = body.split(b"\r\n")
    texts = (json.dumps(json.loads(line), indent=2) if line[:1] == b"{" else line for line in lines)
    return b"\r\n".join(text.encode() if isinstance(text, str) else text for text in texts)


def take() -> Bodies:
    """Return the responses of a new sandbox."""
    return asyncio.run(_take())
