"""The token endpoint and the tokens it has given out."""

import base64
import random
from collections.abc import Mapping
from urllib.parse import parse_qsl

from ..grants import JwtGrant
from . import people
from .answers import RefusedError, Reply, json_reply

ACCESS_LIFE = 3600  # seconds; RingCentral's defaults
REFRESH_LIFE = 604800
_JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"


def make_grant(rng: random.Random) -> JwtGrant:
    """Invent credentials in the form of real ones; each says that it is none."""
    claims = base64.urlsafe_b64encode(b'{"iss":"sandbox","note":"opens nothing"}').decode()
    header = base64.urlsafe_b64encode(b'{"alg":"none"}').decode()
    signature = people.token(rng, "NotASignature", 86)
    return JwtGrant(
        client_id=people.token(rng, "SandboxOnly", 22),
        client_secret=people.token(rng, "NotASecret", 44),
        jwt=f"{header}.{claims}.{signature}".replace("=", ""),
    )


class Authority:
    """Gives out access tokens for one app and one user, and knows which are still good.

    Args:
        rng: where tokens come from.
        owner_id: the user that the JWT belongs to.
    """

    def __init__(self, rng: random.Random, owner_id: str) -> None:
        self._rng = rng
        self._owner_id = owner_id
        self.grant = make_grant(rng)
        self._ends: dict[str, float] = {}  # access token: when it expires

    def expire_all(self) -> None:
        """Let every access token given out so far be expired."""
        self._ends = dict.fromkeys(self._ends, float("-inf"))

    def check(self, token: str | None, now: float) -> None:
        """Refuse a bearer token that is missing, unknown or expired.

        Raises:
            RefusedError: 401, OAU-213 or OAU-128.
        """
        if token is None or token not in self._ends:
            raise RefusedError(401, "OAU-213", "Token is not found.")
        if now >= self._ends[token]:
            raise RefusedError(401, "OAU-128", "Access token is expired.")

    def answer(self, authorization: str, body: bytes, now: float) -> Reply:
        """Answer a request for a token.

        Args:
            authorization: the Authorization header.
            body: the form.
            now: monotonic seconds.
        """
        # The OAU codes of these refusals are a guess; the OAuth errors are those of RFC 6749.
        form = dict(parse_qsl(body.decode(errors="replace")))
        if authorization != self._basic():
            reply = _refusal(401, "invalid_client", "OAU-147", "The client is not known.")
            reply.headers["WWW-Authenticate"] = 'Basic realm="RingCentral"'
            return reply
        if form.get("grant_type") != _JWT_BEARER:
            return _refusal(400, "unsupported_grant_type", "OAU-250", "Only a JWT is taken here.")
        if form.get("assertion") != self.grant.jwt:
            return _refusal(400, "invalid_grant", "OAU-140", "The assertion is not valid.")
        return json_reply(self._issue(now))

    def _basic(self) -> str:
        pair = f"{self.grant.client_id}:{self.grant.client_secret}"
        return "Basic " + base64.b64encode(pair.encode()).decode()

    def _issue(self, now: float) -> Mapping[str, object]:
        token = people.token(self._rng, "SandboxToken", 120)
        self._ends[token] = now + ACCESS_LIFE
        return {
            "access_token": token,
            "token_type": "bearer",
            "expires_in": ACCESS_LIFE,
            "refresh_token": people.token(self._rng, "SandboxRefresh", 120),
            "refresh_token_expires_in": REFRESH_LIFE,
            "scope": "ReadPresence EditPresence ReadAccounts",
            "owner_id": self._owner_id,
            "endpoint_id": people.token(self._rng, "", 22),
        }


def _refusal(status: int, error: str, code: str, message: str) -> Reply:
    body = {
        "error": error,
        "error_description": message,
        "errors": [{"errorCode": code, "message": message}],
    }
    return json_reply(body, status)
