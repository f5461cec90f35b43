"""What a session logs in with. Values only: `protocol/oauth.py` knows how to use them."""

import attrs

from .errors import UsageError


def _clean(instance: object, attribute: "attrs.Attribute[str]", value: object) -> None:
    # Credentials travel in headers and forms: a control character or a space there is a paste
    # error at best and a header injection at worst. The value itself is never shown.
    if not isinstance(value, str) or not value or not value.isascii():
        raise UsageError(f"{attribute.name} must be a non-empty ASCII string")
    if any(not "!" <= character <= "~" for character in value):
        raise UsageError(f"{attribute.name} has a space or a control character in it")


@attrs.frozen
class AccessToken:
    """An access token obtained elsewhere, used as it is until the server refuses it.

    Args:
        access_token: the bearer token, without the word "Bearer".

    Raises:
        UsageError: the token is empty, not ASCII, or has spaces or control characters in it.

    Source: RFC 6750.
    """

    access_token: str = attrs.field(repr=False, validator=_clean)


@attrs.frozen
class JwtGrant:
    """The credentials of a server-side app: client id, client secret and a user's JWT.

    Args:
        client_id: the app's client id, from the RingCentral developer console.
        client_secret: the app's client secret.
        jwt: the JWT credential of the user whose presence rights the session has.

    Raises:
        UsageError: one of them is empty, not ASCII, or has spaces or control characters in it.

    Source: RingCentral guide, "JWT auth flow"; RFC 7523.
    """

    client_id: str = attrs.field(validator=_clean)
    client_secret: str = attrs.field(repr=False, validator=_clean)
    jwt: str = attrs.field(repr=False, validator=_clean)
