"""What to do about RingCentral's error codes of refused logins and tokens.

Sources: RingCentral guide, "API Error Codes"; codes it does not list were seen in public issues.
"""

import re

_CONSOLE = (
    "enable this auth flow (JWT, or authorization code) for the app in the RingCentral developer"
    " console"
)
_CODE = "start the login in the browser again: a code works once, and for a minute"
_STATE = "this user or account cannot log in in its present state: ask the account's administrator"
_TOKEN = "log in again: the access token has expired or was replaced"  # noqa: S105

# The documentation has the same table; a test compares them.
ADVICE = {
    "OAU-105": _STATE,
    "OAU-106": _CODE,
    "OAU-108": _CODE,
    "OAU-109": "use the redirect URI that the app has registered, character by character",
    "OAU-110": _CODE,
    "OAU-112": _CONSOLE,
    "OAU-113": "register the redirect URI for the app in the RingCentral developer console",
    "OAU-120": "check the client id: this server does not know the app",
    "OAU-121": "check the client id: this server does not know the app",
    "OAU-125": _CONSOLE,
    "OAU-128": _TOKEN,
    "OAU-129": "check the access token: it is not complete, or belongs to another server",
    "OAU-140": "check the client id and the JWT: the user's credentials were not accepted, or"
    " belong to another app or server",
    "OAU-141": _STATE,
    "OAU-142": _STATE,
    "OAU-146": "check the client id and the client secret: the app's credentials were not"
    " accepted, or belong to another server",
    "OAU-147": "check the client id, the client secret and the JWT; after many failed logins the"
    " account is also locked for a while",
    "OAU-148": _STATE,
    "OAU-149": "check the access token: it is not complete, or belongs to another server",
    "OAU-153": "check the client id and the client secret: the app's credentials were not"
    " accepted, or belong to another server",
    "OAU-213": "log in again: the token is not known, was revoked, or was ended by a newer login"
    " (five at a time for one user and app; a shared token_store needs only one)",
    "OAU-222": "check the server: the JWT was issued for another one; production is"
    " https://platform.ringcentral.com, RingCentral's sandbox"
    " https://platform.devtest.ringcentral.com",
    "OAU-250": f"{_CONSOLE}; a revoked JWT is refused with this code, too",
    "OAU-251": _CONSOLE,
    "AGW-404": "check the server's address: its API gateway does not know this path, or not for"
    " this app",
    "CMN-211": "try again in some minutes with the same credentials: the service is not available"
    " at present",
}

# A code is not secret, but the text around it may be: a part of a longer word is not a code.
_CODE_PATTERN = re.compile(r"(?<![\w.+/=~-])[A-Z]{3}-[0-9]{1,9}(?![\w+/=~-])", re.ASCII)


def is_code(text: str | None) -> bool:
    """Return whether a text is a RingCentral error code, such as "OAU-250"."""
    return text is not None and _CODE_PATTERN.fullmatch(text) is not None


def find_code(text: str) -> str | None:
    """Return the first error code in a text, or None."""
    match = _CODE_PATTERN.search(text)
    return match[0] if match else None


def advice_for(code: str | None) -> str | None:
    """Return what to do about an error code, or None when there is no advice for it."""
    return ADVICE.get(code or "")
