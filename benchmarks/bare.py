"""Requests with aiohttp alone, to compare with."""

from collections.abc import Sequence

import aiohttp
from yarl import URL

from aiopresence import JwtGrant

EXTENSIONS = "/restapi/v1.0/account/~/extension"


def opened() -> aiohttp.ClientSession:
    """Return an aiohttp session configured like the library's."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), cookie_jar=aiohttp.DummyCookieJar()
    )


async def log_in(http: aiohttp.ClientSession, server: str, grant: JwtGrant) -> str:
    """Log in, and return the Authorization header."""
    form = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": grant.jwt}
    basic = aiohttp.encode_basic_auth(grant.client_id, grant.client_secret)
    login = f"{server}/restapi/oauth/token"
    async with http.post(login, data=form, headers={"Authorization": basic}) as response:
        return f"Bearer {(await response.json())['access_token']}"


def presence(server: str, ids: Sequence[str], query: str = "") -> URL:
    """Return the URL of the presence of some extensions."""
    return URL(f"{server}{EXTENSIONS}/{','.join(ids)}/presence{query}", encoded=True)
