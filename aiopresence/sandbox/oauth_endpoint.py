"""The token endpoint: who may have tokens, and for what."""

import base64
import hashlib
import random
import re
from collections.abc import Mapping
from urllib.parse import parse_qsl

import attrs

from ..grants import JwtGrant
from . import fake_people
from .counters import Counters
from .responses import GrantError, Reply, json_reply
from .tokens import Lives, Session, Sessions

_JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_MOST_CODES = 100  # codes kept that nobody has used; a guess
_TTL = (600, 3600)  # seconds an access token may be asked to live

Form = Mapping[str, str]


def make_grant(rng: random.Random) -> JwtGrant:
    """Invent credentials in the form of real ones; each says that it is none."""
    claims = base64.urlsafe_b64encode(b'{"iss":"sandbox","note":"opens nothing"}').decode()
    header = base64.urlsafe_b64encode(b'{"alg":"none"}').decode()
    signature = fake_people.token(rng, "NotASignature", 86)
    return JwtGrant(
        client_id=fake_people.token(rng, "SandboxOnly", 22),
        client_secret=fake_people.token(rng, "NotASecret", 44),
        jwt=f"{header}.{claims}.{signature}".replace("=", ""),
    )


@attrs.frozen
class _Code:
    """What the login page was given, which is what a code is good for."""

    redirect_uri: str
    challenge: str | None


class Authority:
    """Gives out tokens for one app and one user.

    The app is taken as a public one as well, which has no secret: its requests name the client id
    in the form. RingCentral's apps are one or the other.

    Args:
        rng: where tokens come from.
        owner_id: the user that the JWT belongs to.
        lives: how long tokens live when the request does not say.
        counters: where logins and refreshes are counted.

    Attributes:
        grant: the app's and the user's credentials.
        sessions: the logins so far.
    """

    def __init__(self, rng: random.Random, owner_id: str, lives: Lives, counters: Counters) -> None:
        self._rng = rng
        self._owner_id = owner_id
        self._lives = lives
        self._counters = counters
        self._codes: dict[str, _Code] = {}
        self.grant = make_grant(rng)
        self.sessions = Sessions(rng)

    def new_code(self, redirect_uri: str, code_challenge: str | None) -> str:
        """Make a code as the login page would send it to the redirect URI; it works once."""
        code = fake_people.token(self._rng, "SandboxCode", 40)
        self._codes[code] = _Code(redirect_uri, code_challenge)
        if len(self._codes) > _MOST_CODES:
            del self._codes[next(iter(self._codes))]
        return code

    def answer(self, authorization: str, body: bytes, now: float) -> Reply:
        """Answer a request for a token.

        Args:
            authorization: the Authorization header.
            body: the form.
            now: monotonic seconds.
        """
        form = _form(body)
        try:
            public = self._is_public(authorization, form)
            session = self._session(form, public, now)
        except GrantError as error:
            return _refusal(error)
        return json_reply(self._said(session, now))

    def revoke(self, authorization: str, body: bytes) -> Reply:
        """End the login that a token in a form belongs to; a token of none is no fault."""
        form = _form(body)
        try:
            self._is_public(authorization, form)
        except GrantError as error:
            return _refusal(error)
        self.sessions.end(form.get("token"))
        return Reply(200)

    # The OAU codes of the refusals below are guesses, OAU-109 apart, which has been seen; the
    # OAuth errors are those of RFC 6749.

    def _is_public(self, authorization: str, form: Form) -> bool:
        if _basic(authorization) == f"{self.grant.client_id}:{self.grant.client_secret}":
            return False
        if not authorization and form.get("client_id") == self.grant.client_id:
            return True
        raise GrantError(401, "invalid_client", "OAU-147", "The client is not known.")

    def _session(self, form: Form, public: bool, now: float) -> Session:
        lives = self._lives_for(form)
        kind = form.get("grant_type")
        if kind == "refresh_token":
            session = self.sessions.refresh(form.get("refresh_token"), lives, now)
            self._counters.refreshes += 1
            return session
        if kind == "authorization_code":
            self._check_code(form, public)
        elif kind == _JWT_BEARER:
            self._check_jwt(form, public)
        else:
            raise GrantError(400, "unsupported_grant_type", "OAU-250", "Not a grant type here.")
        self._counters.logins += 1
        return self.sessions.begin(lives, now)

    def _lives_for(self, form: Form) -> Lives:
        # RingCentral states the range; that what is outside it is moved into it is a guess.
        access, refresh = _seconds(form, "access_token_ttl"), _seconds(form, "refresh_token_ttl")
        low, high = _TTL
        return Lives(
            self._lives.access if access is None else min(max(access, low), high),
            self._lives.refresh if refresh is None else min(refresh, self._lives.refresh),
        )

    def _check_jwt(self, form: Form, public: bool) -> None:
        if public:
            raise GrantError(401, "invalid_client", "OAU-147", "A JWT needs the client secret.")
        if form.get("assertion") != self.grant.jwt:
            raise GrantError(400, "invalid_grant", "OAU-140", "The assertion is not valid.")

    def _check_code(self, form: Form, public: bool) -> None:
        code = self._codes.pop(form.get("code", ""), None)
        if code is None:
            raise GrantError(400, "invalid_grant", "OAU-140", "The code is not valid.")
        if form.get("redirect_uri") != code.redirect_uri:
            raise GrantError(400, "invalid_grant", "OAU-109", "Redirect URIs do not match")
        verifier = form.get("code_verifier")
        if public and verifier is None:
            raise GrantError(400, "invalid_grant", "OAU-140", "A public client has to use PKCE.")
        # A verifier without a challenge is refused too: RFC 9700 calls for that.
        if code.challenge != (None if verifier is None else _challenge(verifier)):
            raise GrantError(400, "invalid_grant", "OAU-140", "The code verifier does not fit.")

    def _said(self, session: Session, now: float) -> Mapping[str, object]:
        answer: dict[str, object] = {
            "access_token": session.access.value,
            "token_type": "bearer",
            "expires_in": _left(session.access.end, now),
        }
        if session.refresh is not None:
            answer["refresh_token"] = session.refresh.value
            answer["refresh_token_expires_in"] = _left(session.refresh.end, now)
        return answer | {
            "scope": "ReadPresence EditPresence ReadAccounts WebSocketsSubscription",
            "owner_id": self._owner_id,
            "endpoint_id": session.endpoint_id,
        }


def _basic(authorization: str) -> str | None:
    """Parse basic credentials; None for anything else. Schemes have no case (RFC 9110)."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(encoded.strip(), validate=True).decode()
    except ValueError:
        return None


def _form(body: bytes) -> Form:
    return dict(parse_qsl(body.decode(errors="replace")))


def _refusal(error: GrantError) -> Reply:
    reply = json_reply(error.body, error.status)
    if error.status == 401:
        reply.headers["WWW-Authenticate"] = 'Basic realm="RingCentral"'
    return reply


def _seconds(form: Form, name: str) -> int | None:
    text = form.get(name)
    if text is None:
        return None
    if not re.fullmatch("-?[0-9]{1,9}", text):
        raise GrantError(400, "invalid_request", "OAU-250", f"{name} is not a number.")
    return int(text)


def _challenge(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _left(end: float, now: float) -> int:
    return round(max(1.0, end - now))  # RingCentral gives whole seconds
