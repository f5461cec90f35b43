"""An HTTP server that counts the requests of all clients together, in a process of its own.

It is written from RingCentral's documentation alone, on bare asyncio, and shares no code with the
library or the sandbox, so that a wrong idea of a rate limit in one is not repeated in the other.

- A request counts when it arrives, in a sliding window per login and group. One that is too many
  gets a 429 and starts a penalty, which every request during it restarts.
- Tokens come from `/restapi/oauth/token`. At most five sessions of a user and app live: a sixth
  login ends the oldest. A refresh ends the access token before; the refresh token before works for
  ten more seconds. Any token that begins with "static" is accepted, and is a login of its own.
- The header X-Client names who has sent a request in the ledger.

As a program it prints its port, serves until its input ends, and takes its settings as JSON.
"""

import asyncio
import base64
import dataclasses
import json
import os
import random
import re
import sys
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import parse_qs, urlsplit

MAX_SESSIONS = 5
GRACE = 10.0
BOUNDARY = "Boundary_1_2_3"
JWT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


@dataclasses.dataclass
class Settings:
    """What the server does; all but the first three may be changed while it runs.

    Attributes:
        limits: the limit of each group.
        window: the seconds of a window.
        penalty: the seconds of a penalty.
        jitter: the longest random delay of a request before it is counted, in seconds.
        latency: the seconds from counting to the response.
        token_latency: the same for token requests.
        expires_in: the lifetime of an access token in seconds.
        headers: whether responses state the limits.
    """

    limits: dict[str, int] = dataclasses.field(
        default_factory=lambda: {"Light": 50, "Medium": 40, "Heavy": 10, "Auth": 1000}
    )
    window: float = 1.0
    penalty: float = 1.0
    jitter: float = 0.0
    latency: float = 0.02
    token_latency: float = 0.02
    expires_in: float = 3600.0
    headers: bool = True


@dataclasses.dataclass
class Entry:
    """One request in the ledger.

    Attributes:
        at: when it was counted, in seconds of the monotonic clock, which all processes share.
        client: who has sent it.
        group: its group.
        status: the status of its response.
        in_penalty: whether it arrived during a penalty.
        ids: the extensions that it asked for.
    """

    at: float
    client: str
    group: str
    status: int
    in_penalty: bool
    ids: list[str]


@dataclasses.dataclass
class Window:
    """The requests of one login in one group."""

    arrivals: deque[float] = dataclasses.field(default_factory=deque)
    penalty_until: float = 0.0


@dataclasses.dataclass
class Login:
    """One session of a user and app: its tokens, and when each old one ends."""

    owner: str
    number: int
    access: str = ""
    refresh: dict[str, float] = dataclasses.field(default_factory=dict)
    expires: float = 0.0


@dataclasses.dataclass
class Request:
    """A parsed request."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclasses.dataclass
class Reply:
    """A response to send."""

    status: int
    body: bytes
    headers: dict[str, str] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, status: int, value: object, **headers: str) -> "Reply":
        return cls(
            status, json.dumps(value).encode(), {"Content-Type": "application/json"} | headers
        )


class Counting:
    """The state of the server."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.windows: dict[tuple[str, str], Window] = {}
        self.ledger: list[Entry] = []
        self.sessions: dict[str, list[Login]] = {}
        self.counts: Counter[str] = Counter()

    def count(self, owner: str, group: str, request: Request) -> Reply | dict[str, str]:
        """Count a request now; return the headers of its response, or a 429."""
        now, settings = time.monotonic(), self.settings
        window = self.windows.setdefault((owner, group), Window())
        while window.arrivals and window.arrivals[0] <= now - settings.window:
            window.arrivals.popleft()
        limit = settings.limits[group]
        in_penalty = now < window.penalty_until
        refused = in_penalty or len(window.arrivals) >= limit
        if not refused:
            window.arrivals.append(now)
        client = request.headers.get("x-client", "")
        status = 429 if refused else 200
        self.ledger.append(Entry(now, client, group, status, in_penalty, ids_of(request.path)))
        headers = {
            "X-Rate-Limit-Group": group.lower(),
            "X-Rate-Limit-Limit": str(limit),
            "X-Rate-Limit-Remaining": str(0 if refused else limit - len(window.arrivals)),
            "X-Rate-Limit-Window": f"{settings.window:g}",
        }
        headers = headers if settings.headers else {}
        if not refused:
            return headers
        window.penalty_until = now + settings.penalty
        headers["Retry-After"] = str(int(settings.penalty))
        return Reply.of(
            429, {"errorCode": "CMN-301", "message": "Request rate exceeded"}, **headers
        )

    async def answer(self, request: Request) -> Reply:
        """Return the response to a request."""
        if request.path.startswith("/control/"):
            return self.control(request)
        await asyncio.sleep(random.uniform(0, self.settings.jitter))  # noqa: S311 - no secret
        if request.path == "/restapi/oauth/token":
            return await self.token(request)
        owner = self.owner(request)
        if owner is None:
            return Reply.of(401, {"errorCode": "OAU-129", "message": "Access token corrupted"})
        if request.path == "/restapi/oauth/revoke":
            return self.revoke(request)
        group = "Light" if ids_of(request.path) else "Medium"
        counted = self.count(owner, group, request)
        await asyncio.sleep(self.settings.latency)
        if isinstance(counted, Reply):
            return counted
        reply = presence(request)
        reply.headers |= counted
        return reply

    def control(self, request: Request) -> Reply:
        """Change settings, or return everything that was counted."""
        if request.path == "/control/set":
            for name, value in json.loads(request.body).items():
                setattr(self.settings, name, value)
        if request.path == "/control/count":
            return Reply.of(200, {"requests": len(self.ledger)})
        if request.path == "/control/reset":
            self.ledger.clear()
        return Reply.of(
            200,
            {
                "ledger": [dataclasses.asdict(entry) for entry in self.ledger],
                "counts": dict(self.counts),
                "sessions": {owner: len(each) for owner, each in self.sessions.items()},
                "access": {
                    owner: [x.access for x in each] for owner, each in self.sessions.items()
                },
            },
        )

    def owner(self, request: Request) -> str | None:
        """Return the login that a request's token belongs to; None if the token is not valid."""
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token.startswith("static"):
            return token
        for login in self._logins():
            if login.access == token and time.monotonic() < login.expires:
                return login.owner
        return None

    def _logins(self) -> Iterator[Login]:
        for sessions in self.sessions.values():
            yield from sessions

    async def token(self, request: Request) -> Reply:
        """Log in or refresh."""
        form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        basic = request.headers.get("authorization", "").removeprefix("Basic ")
        app = base64.b64decode(basic).decode().partition(":")[0] or form.get("client_id", "")
        refresh = form.get("refresh_token", "")
        login = next(
            (x for x in self._logins() if x.refresh.get(refresh, 0) > time.monotonic()), None
        )
        user = login.owner if login else f"{form.get('assertion', '')}|{app}"
        counted = self.count(user, "Auth", request)
        if isinstance(counted, Reply):
            return counted
        kind = "refreshes" if form["grant_type"] == "refresh_token" else "logins"
        self.counts[kind] += 1
        if kind == "refreshes" and login is None:
            return Reply.of(400, {"error": "invalid_grant", "error_description": "unknown token"})
        if login is None:
            login = self.log_in(user)
        reply = self.renew(login)
        await asyncio.sleep(self.settings.token_latency)
        return reply

    def log_in(self, owner: str) -> Login:
        """Begin a session; the oldest of too many ends."""
        sessions = self.sessions.setdefault(owner, [])
        login = Login(owner, self.counts["logins"])
        sessions.append(login)
        if len(sessions) > MAX_SESSIONS:
            del sessions[0]
            self.counts["ended"] += 1
        return login

    def renew(self, login: Login) -> Reply:
        """Replace the tokens of a session."""
        now, settings = time.monotonic(), self.settings
        login.refresh = {token: min(end, now + GRACE) for token, end in login.refresh.items()}
        number = sum(self.counts.values())
        login.access, refresh = (
            f"access-{login.number}-{number}",
            f"refresh-{login.number}-{number}",
        )
        login.refresh[refresh] = now + 604800
        login.expires = now + settings.expires_in
        return Reply.of(
            200,
            {
                "access_token": login.access,
                "token_type": "bearer",
                "expires_in": settings.expires_in,
                "refresh_token": refresh,
                "refresh_token_expires_in": 604800,
                "scope": "ReadPresence",
                "owner_id": "1",
                "endpoint_id": "e",
            },
        )

    def revoke(self, request: Request) -> Reply:
        """End the session of the token that is sent."""
        token = request.headers["authorization"].removeprefix("Bearer ")
        for sessions in self.sessions.values():
            sessions[:] = [login for login in sessions if login.access != token]
        return Reply.of(200, {})


def ids_of(path: str) -> list[str]:
    """Return the extensions in the path of a presence read."""
    match = re.fullmatch(r"/restapi/v1\.0/account/[^/]+/extension/([^/]+)/presence", path)
    return match[1].split(",") if match else []


def presence(request: Request) -> Reply:
    """Return the presence of one extension, or of several in a batch."""
    ids = ids_of(request.path)
    records = [
        {
            "extension": {"id": id_, "extensionNumber": id_},
            "presenceStatus": "Available",
            "userStatus": "Available",
            "telephonyStatus": "NoCall",
            "dndStatus": "TakeAllCalls",
        }
        for id_ in ids
    ]
    if len(records) == 1:
        return Reply.of(200, records[0])
    if not records:
        return Reply.of(200, {"records": []})
    if "multipart+json" in request.headers.get("accept", ""):
        array = [
            {"resourceId": id_, "status": 200, "body": record}
            for id_, record in zip(ids, records, strict=True)
        ]
        return Reply(
            207,
            json.dumps(array).encode(),
            {"Content-Type": "application/vnd.ringcentral.multipart+json"},
        )
    summary = {"response": [{"href": request.path, "status": 200, "responseDescription": "OK"}]}
    summary["response"] = [
        {"href": f"/account/1/extension/{id_}/presence", "status": 200, "responseDescription": "OK"}
        for id_ in ids
    ]
    head = f"--{BOUNDARY}\r\nContent-Type: application/json\r\n\r\n"
    parts = "\r\n".join(head + json.dumps(each) for each in (summary, *records))
    body = f"{parts}\r\n--{BOUNDARY}--\r\n".encode()
    return Reply(207, body, {"Content-Type": f"multipart/mixed; boundary={BOUNDARY}"})


async def serve(counting: Counting) -> None:
    """Serve until the input of the process ends."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            while True:
                reply = await counting.answer(await parse(reader))
                head = [f"HTTP/1.1 {reply.status} X", f"Content-Length: {len(reply.body)}"]
                head += [f"{name}: {value}" for name, value in reply.headers.items()]
                writer.write("\r\n".join([*head, "\r\n"]).encode() + reply.body)
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, backlog=1000)
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201 - the parent reads it
    await asyncio.to_thread(sys.stdin.read)
    os._exit(0)  # Without a word about the requests that were under way.


async def parse(reader: asyncio.StreamReader) -> Request:
    """Read a request."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    method, target, _ = head[0].split(" ")
    headers = {
        name.strip().lower(): value.strip()
        for name, _, value in (line.partition(":") for line in head[1:] if line)
    }
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Request(method, urlsplit(target).path, headers, body)


if __name__ == "__main__":
    asyncio.run(serve(Counting(Settings(**json.loads(sys.argv[1])))))
