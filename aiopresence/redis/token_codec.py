"""The bytes of a token in Redis: JSON, encrypted if a key was given.

Redis may hold anything, from an older version or from somebody else, so `decode` trusts nothing.
The key of the token is part of its content: nobody can pass off one login's token as another's.
"""

import json
from typing import Any, Protocol, TypeGuard

import attrs

from ..errors import UsageError

# The fields of a token that are times. In Redis they are seconds from when it was saved.
_TIMES = ("expires_time", "refresh_expires_time")
# How long a token without a time is kept, and any at least and at most, in seconds. RingCentral's
# refresh tokens are valid for a week.
_USUAL_LIFE, _SHORTEST_LIFE, _LONGEST_LIFE = 604_800.0, 1.0, 7_776_000.0
# The longest content in bytes: more than two tokens of the greatest length, encrypted.
MAX_CONTENT = 512 * 1024
# What json raises for bytes that are not JSON.
_NOT_JSON = (ValueError, RecursionError)


class Cipher(Protocol):
    """What encrypts tokens: cryptography's Fernet."""

    def encrypt(self, data: bytes) -> bytes:
        """Return the encrypted data."""

    def decrypt(self, token: bytes) -> bytes:
        """Return the data that was encrypted."""


@attrs.frozen
class TokenCodec:
    """Turns tokens into bytes and back.

    Args:
        cipher: encrypts them; None does not.
        failures: the errors of decoding, with those of the cipher.
    """

    cipher: Cipher | None = attrs.field(repr=False)
    failures: tuple[type[Exception], ...] = _NOT_JSON

    def encode(self, key: str, token: dict[str, Any], wall: float) -> tuple[bytes, float]:
        """Return a token as bytes, and the seconds to keep them.

        Args:
            key: the key of the token.
            token: the token.
            wall: the present time in seconds since 1970.
        """
        times = {name: token[name] - wall for name in _TIMES if _is_time(token.get(name))}
        content = json.dumps({"key": key, "token": {**token, **times}}).encode()
        name = _TIMES[1] if token.get("refresh_token") else _TIMES[0]
        life = min(max(times.get(name, _USUAL_LIFE), _SHORTEST_LIFE), _LONGEST_LIFE)
        return content if self.cipher is None else self.cipher.encrypt(content), life

    def decode(self, key: str, content: bytes, saved_at: float) -> dict[str, Any] | None:
        """Return the token in some bytes; None if it is none, too long, or has another key.

        Args:
            key: the key of the token.
            content: the bytes.
            saved_at: when they were saved, in seconds since 1970.
        """
        if len(content) > MAX_CONTENT:
            return None
        try:
            value = json.loads(content if self.cipher is None else self.cipher.decrypt(content))
        except self.failures:
            return None  # Its message is not shown, since it may quote the token.
        token = value.get("token") if isinstance(value, dict) and value.get("key") == key else None
        if not isinstance(token, dict):
            return None
        times = {name: token[name] + saved_at for name in _TIMES if _is_time(token.get(name))}
        return {name: token[name] for name in token if name not in _TIMES} | times


def new_codec(key: object) -> TokenCodec:
    """Return the codec for a key of Fernet; None does not encrypt.

    Raises:
        UsageError: it is no such key. The message does not quote it.
        ImportError: cryptography is not installed.
    """
    if key is None:
        return TokenCodec(None)
    try:
        from cryptography.fernet import Fernet, InvalidToken
    except ImportError:
        message = "RedisTokenStore(key=…) needs cryptography: pip install cryptography"
        raise ImportError(message) from None
    try:
        cipher = Fernet(key)  # type: ignore[arg-type] # it checks
    except (TypeError, ValueError):
        # Its message is not shown, since it may quote the key.
        error = UsageError("key must be made by cryptography.fernet.Fernet.generate_key()")
    else:
        return TokenCodec(cipher, (*_NOT_JSON, InvalidToken))
    raise error


def _is_time(value: object) -> TypeGuard[float]:
    """Return whether a value is a number of a reasonable size; NaN and infinity are not."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e12
