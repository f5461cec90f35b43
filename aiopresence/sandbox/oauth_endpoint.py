"""The token endpoint: logins, refreshes and revocation for one app and one user.

Source: RFC 6749, RFC 7636. The OAU codes of the refusals are guesses, except OAU-109, which has
been seen.
"""

import base64
import hashlib
import random
import re
from collections.abc import Mapping
from urllib.parse import parse_qsl

import attrs

from ..grants import JwtGrant
from . import fake_people
from .rate_limits import Counters
from .request_context import RequestContext
from .responses import GrantError, Response, json_response
from .tokens import Login, Logins, TokenLifetimes

_JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_SCOPE = "ReadPresence EditPresence ReadAccounts WebSocketsSubscription"
_MAX_CODES = 100  # unused codes kept; a guess
_ACCESS_TTL = (600, 3600)  # RingCentral's range of access_token_ttl, in seconds

Form = Mapping[str, str]


def make_grant(rng: random.Random) -> JwtGrant:
    """Return invented credentials in the form of real ones; their text shows that they are not."""
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
    """What an authorization code was issued for."""

    redirect_uri: str
    challenge: str | None


class OAuthServer:
    """Issues and revokes tokens for one app and one user.

    The app may also log in as a public client, which has no secret and names its client id in
    the form. RingCentral's apps are one or the other.

    Args:
        rng: the source of credentials and tokens.
        owner_id: the id of the user that the JWT belongs to.
        lifetimes: how long tokens are valid when the request does not say.
        counters: counts logins and refreshes.

    Attributes:
        grant: the credentials of the app and the user.
        logins: the logins that have not ended.
    """

    def __init__(
        self, rng: random.Random, owner_id: str, lifetimes: TokenLifetimes, counters: Counters
    ) -> None:
        self._rng = rng
        self._owner_id = owner_id
        self._lifetimes = lifetimes
        self._counters = counters
        self._codes: dict[str, _Code] = {}
        self.grant = make_grant(rng)
        self.logins = Logins(rng)

    def new_code(self, redirect_uri: str, code_challenge: str | None) -> str:
        """Return a new authorization code, which is valid for one login."""
        code = fake_people.token(self._rng, "SandboxCode", 40)
        self._codes[code] = _Code(redirect_uri, code_challenge)
        if len(self._codes) > _MAX_CODES:
            del self._codes[next(iter(self._codes))]
        return code

    def issue_token(self, context: RequestContext) -> Response:
        """POST /restapi/oauth/token: log in or refresh."""
        form, now = _form(context), context.received.arrival
        try:
            public = self._is_public(context, form)
            login = self._login(form, public, now)
        except GrantError as error:
            return _refusal(error)
        return json_response(self._token_response(login, now))

    def revoke_token(self, context: RequestContext) -> Response:
        """POST /restapi/oauth/revoke: end the login of a token; 200 for an unknown one, too."""
        form = _form(context)
        try:
            self._is_public(context, form)
        except GrantError as error:
            return _refusal(error)
        self.logins.end(form.get("token"))
        return Response(200)

    def _is_public(self, context: RequestContext, form: Form) -> bool:
        """Authenticate the app; return whether it is a public client."""
        authorization = context.header("authorization")
        if _basic(authorization) == f"{self.grant.client_id}:{self.grant.client_secret}":
            return False
        if not authorization and form.get("client_id") == self.grant.client_id:
            return True
        raise GrantError(401, "invalid_client", "OAU-147", "The client is not known.")

    def _login(self, form: Form, public: bool, now: float) -> Login:
        lifetimes = self._requested_lifetimes(form)
        grant_type = form.get("grant_type")
        if grant_type == "refresh_token":
            login = self.logins.refresh(form.get("refresh_token"), lifetimes, now)
            self._counters.refreshes += 1
            return login
        if grant_type == "authorization_code":
            self._check_code(form, public)
        elif grant_type == _JWT_BEARER:
            self._check_jwt(form, public)
        else:
            raise GrantError(400, "unsupported_grant_type", "OAU-250", "Not a grant type here.")
        self._counters.logins += 1
        return self.logins.begin(lifetimes, now)

    def _requested_lifetimes(self, form: Form) -> TokenLifetimes:
        # RingCentral documents the range; that values outside it are clamped is a guess.
        access, refresh = _seconds(form, "access_token_ttl"), _seconds(form, "refresh_token_ttl")
        low, high = _ACCESS_TTL
        default = self._lifetimes
        return TokenLifetimes(
            default.access if access is None else min(max(access, low), high),
            default.refresh if refresh is None else min(refresh, default.refresh),
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
        # A verifier without a challenge is refused too, as RFC 9700 requires.
        if code.challenge != (None if verifier is None else _challenge(verifier)):
            raise GrantError(400, "invalid_grant", "OAU-140", "The code verifier does not match.")

    def _token_response(self, login: Login, now: float) -> Mapping[str, object]:
        body: dict[str, object] = {
            "access_token": login.access.value,
            "token_type": "bearer",
            "expires_in": _seconds_left(login.access.expires_at, now),
        }
        if login.refresh is not None:
            body["refresh_token"] = login.refresh.value
            body["refresh_token_expires_in"] = _seconds_left(login.refresh.expires_at, now)
        return body | {
            "scope": _SCOPE,
            "owner_id": self._owner_id,
            "endpoint_id": login.endpoint_id,
        }


def _basic(authorization: str) -> str | None:
    """Parse basic credentials; None for anything else. Schemes ignore case (RFC 9110)."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(encoded.strip(), validate=True).decode()
    except ValueError:
        return None


def _form(context: RequestContext) -> Form:
    return dict(parse_qsl(context.received.body.decode(errors="replace")))


def _refusal(error: GrantError) -> Response:
    response = json_response(error.body, error.status)
    if error.status == 401:
        response.headers["WWW-Authenticate"] = 'Basic realm="RingCentral"'
    return response


def _seconds(form: Form, name: str) -> int | None:
    text = form.get(name)
    if text is None:
        return None
    if not re.fullmatch("-?[0-9]{1,9}", text):
        raise GrantError(400, "invalid_request", "OAU-250", f"{name} is not a number.")
    return int(text)


def _challenge(verifier: str) -> str:
    """Return the S256 challenge of a PKCE verifier."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _seconds_left(expires_at: float, now: float) -> int:
    return round(max(1.0, expires_at - now))  # RingCentral sends whole seconds
