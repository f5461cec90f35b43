"""What in Redis counts as a token."""

import json

import pytest
from cryptography.fernet import Fernet

from aiopresence.grants import MAX_CREDENTIAL
from aiopresence.redis.token_codec import MAX_CONTENT, new_codec

TOKEN = {"access_token": "a" * MAX_CREDENTIAL, "refresh_token": "r" * MAX_CREDENTIAL}


@pytest.mark.parametrize("key", [None, Fernet.generate_key()], ids=["plain", "encrypted"])
def test_the_longest_tokens_are_kept_and_longer_content_is_none(key: bytes | None) -> None:
    codec = new_codec(key)
    content, _ = codec.encode("key", TOKEN, 0.0)
    assert codec.decode("key", content, 0.0) == TOKEN
    assert len(content) < MAX_CONTENT
    long, _ = codec.encode("key", {"access_token": "a" * MAX_CONTENT}, 0.0)
    assert codec.decode("key", long, 0.0) is None


def test_content_of_the_greatest_length_is_still_read() -> None:
    codec = new_codec(None)
    start = json.dumps({"key": "key", "token": TOKEN}).encode()
    assert codec.decode("key", start.ljust(MAX_CONTENT), 0.0) == TOKEN
    assert codec.decode("key", start.ljust(MAX_CONTENT + 1), 0.0) is None
