"""OAuth 2.0: logins, refresh, revocation and WebSocket tokens.

A login begins a session with an access token and a refresh token. A refresh replaces both: the
old access token ends at once, the old refresh token works for 10 more seconds, or for an hour if
the new access token is never used. The sixth session of a user and app ends the oldest.
"""

import base64
import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import unquote

from tests.support.independent.account import Json
from tests.support.independent.errors import ApiFailure, OAuthFailure
from tests.support.independent.http_wire import Request

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
MOST_SESSIONS = 5
OLD_REFRESH_SECONDS, UNUSED_REFRESH_SECONDS = 10.0, 3600.0
SCOPE = "ReadPresence EditPresence ReadAccounts SubscriptionWebhook WebSocketsSubscription"


def new_token(kind: str) -> str:
    return f"{kind}-{secrets.token_urlsafe(24)}"


@dataclass
class LoginSession:
    """One login with its present tokens, and the refresh token that they replaced."""

    client_id: str
    access: str
    refresh: str
    access_until: float
    refresh_until: float
    old_refresh: str = ""
    old_until: float = 0.0
    access_used: bool = False


@dataclass
class Code:
    """An authorization code, which works once."""

    redirect_uri: str
    challenge: str
    client_id: str


@dataclass
class OAuth:
    """The authorization server. `logins` counts logins, `refreshes` refreshed sessions."""

    clock: Callable[[], float]
    owner_id: str
    client_id: str = "client-7Hx"
    client_secret: str = "secret-Q1w"
    public_client_id: str = "public-9Zt"
    jwt: str = "eyJraWQi.eyJzdWIi.c2lnbmF0dXJl"
    foreign_jwt: str = "eyJraWQi.eyJhdWQi.c2lnbmF0dXJl"
    """A JWT that was issued for another server."""
    grant_types: set[str] = field(
        default_factory=lambda: {JWT_BEARER, "refresh_token", "authorization_code"}
    )
    refresh_tokens: bool = True
    access_seconds: float = 3600.0
    wstoken_seconds: float = 300.0
    single_use_wstokens: bool = False
    sessions: list[LoginSession] = field(default_factory=list)
    codes: dict[str, Code] = field(default_factory=dict)
    wstokens: dict[str, tuple[float, str]] = field(default_factory=dict)
    """Until when a WebSocket token works, and the client that it was given to."""
    ended: set[str] = field(default_factory=set)
    logins: int = 0
    refreshes: int = 0

    def client_of(self, request: Request) -> str:
        """Return the client id of a request that states valid client credentials."""
        header = request.header("Authorization") or ""
        if not header:
            client_id = request.form.get("client_id", "")
            if client_id == self.public_client_id:
                return client_id
            raise OAuthFailure(401, "invalid_client", "OAU-146", "Client credentials are missing")
        scheme, _, value = header.partition(" ")
        try:
            name, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
        except ValueError:
            name = secret = ""
        if scheme != "Basic" or (unquote(name), unquote(secret)) != (
            self.client_id,
            self.client_secret,
        ):
            raise OAuthFailure(401, "invalid_client", "OAU-146", "Invalid client credentials")
        return self.client_id

    def grant(self, client_id: str, form: dict[str, str]) -> Json:
        """Return the answer of the token endpoint."""
        kind = form.get("grant_type", "")
        if kind not in self.grant_types:
            raise OAuthFailure(
                400, "unauthorized_client", "OAU-251", "Unauthorized for this grant type"
            )
        if kind == "refresh_token":
            return self._refresh(client_id, form.get("refresh_token", ""), form)
        if kind == JWT_BEARER:
            self._check_jwt(form.get("assertion", ""))
        else:
            self._use_code(client_id, form)
        return self._login(client_id, form)

    def session_of(self, access: str) -> LoginSession:
        """Return the session of an access token that is valid now."""
        for session in self.sessions:
            if session.access == access:
                if session.access_until <= self.clock():
                    raise ApiFailure("OAU-128", "Access token expired")
                session.access_used = True
                return session
        if access in self.ended:
            raise ApiFailure("OAU-213", "Token not found")
        raise ApiFailure("OAU-149", "Invalid access token")

    def revoke(self, token: str) -> None:
        """End the session of an access or refresh token, if there is one."""
        for session in list(self.sessions):
            if token in {session.access, session.refresh, session.old_refresh} - {""}:
                self._end(session)

    def new_code(self, redirect_uri: str, challenge: str = "", client_id: str = "") -> str:
        code = new_token("code")
        self.codes[code] = Code(redirect_uri, challenge, client_id or self.client_id)
        return code

    def new_wstoken(self, client_id: str) -> str:
        token = new_token("ws")
        self.wstokens[token] = self.clock() + self.wstoken_seconds, client_id
        return token

    def use_wstoken(self, token: str) -> str | None:
        """Return the client of a WebSocket token that is valid, and spend a token for one use."""
        until, client_id = self.wstokens.get(token, (0.0, ""))
        if self.single_use_wstokens:
            self.wstokens.pop(token, None)
        return client_id if self.clock() < until else None

    def _check_jwt(self, jwt: str) -> None:
        if jwt == self.foreign_jwt:
            raise OAuthFailure(400, "invalid_grant", "OAU-222", "Audience is invalid")
        if jwt != self.jwt:
            raise OAuthFailure(400, "invalid_grant", "OAU-250", "The JWT is revoked or unknown")

    def _use_code(self, client_id: str, form: dict[str, str]) -> None:
        code = self.codes.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        if code is None or code.client_id != client_id:
            raise OAuthFailure(400, "invalid_grant", "OAU-108", "The code is unknown or was used")
        if code.redirect_uri != form.get("redirect_uri"):
            raise OAuthFailure(400, "invalid_grant", "OAU-109", "The redirect URI differs")
        if code.challenge and code.challenge != challenge:
            raise OAuthFailure(400, "invalid_grant", "OAU-110", "The code verifier is wrong")

    def _login(self, client_id: str, form: dict[str, str]) -> Json:
        own = [each for each in self.sessions if each.client_id == client_id]
        if len(own) >= MOST_SESSIONS:
            self._end(own[0])
        self.logins += 1
        session = LoginSession(client_id, "", "", 0.0, 0.0)
        self.sessions.append(session)
        return self._renew(session, form)

    def _refresh(self, client_id: str, token: str, form: dict[str, str]) -> Json:
        for session in self.sessions:
            if session.client_id == client_id and self._is_valid(session, token):
                self.refreshes += 1
                self.ended.add(session.access)
                session.old_refresh = session.refresh
                session.old_until = self.clock() + UNUSED_REFRESH_SECONDS
                return self._renew(session, form)
        raise OAuthFailure(400, "invalid_grant", "OAU-213", "Token not found")

    def _is_valid(self, session: LoginSession, token: str) -> bool:
        now = self.clock()
        if token == session.refresh:
            return now < session.refresh_until
        if not token or token != session.old_refresh:
            return False
        replaced_at = session.old_until - UNUSED_REFRESH_SECONDS
        return now < (
            replaced_at + OLD_REFRESH_SECONDS if session.access_used else session.old_until
        )

    def _renew(self, session: LoginSession, form: dict[str, str]) -> Json:
        lifetime = min(max(float(form.get("access_token_ttl", self.access_seconds)), 0), 3600)
        refresh_lifetime = float(form.get("refresh_token_ttl", 604800))
        session.access, session.access_used = new_token("access"), False
        session.refresh = new_token("refresh") if self.refresh_tokens else ""
        session.access_until = self.clock() + lifetime
        session.refresh_until = self.clock() + refresh_lifetime
        answer: Json = {
            "access_token": session.access,
            "token_type": "bearer",
            "expires_in": int(lifetime),
            "scope": SCOPE,
            "owner_id": self.owner_id,
            "endpoint_id": "endpoint-1",
        }
        if self.refresh_tokens:
            answer["refresh_token"] = session.refresh
            answer["refresh_token_expires_in"] = int(refresh_lifetime)
        return answer

    def _end(self, session: LoginSession) -> None:
        self.sessions.remove(session)
        self.ended.add(session.access)
