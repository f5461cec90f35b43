"""Each target with inputs that are generated, and with those that a fuzzer has found."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from tests.fuzz.targets import TARGETS

CORPUS = Path(__file__).parent / "corpus"
# They open sockets, which takes a hundred times as long.
ON_SOCKETS = {"http_responses", "websocket_bytes"}

# Mostly the first options, so that documents are valid but for a few mistakes.
DECISIONS = st.lists(st.just(0) | st.integers(0, 255), max_size=300).map(bytes)


@pytest.fixture(autouse=True)
def _silence() -> Iterator[None]:
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("name", sorted(TARGETS.keys() - ON_SOCKETS))
@given(data=DECISIONS | st.binary(max_size=300))
def test_generated_inputs_pass_the_checks_of_a_target(name: str, data: bytes) -> None:
    TARGETS[name](data)


@pytest.mark.parametrize("name", sorted(ON_SOCKETS))
@settings(max_examples=5)
@given(data=DECISIONS | st.binary(max_size=300))
def test_generated_bytes_pass_the_checks_on_a_socket(name: str, data: bytes) -> None:
    TARGETS[name](data)


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_kept_inputs_pass_the_checks_of_a_target(name: str) -> None:
    paths = sorted((CORPUS / name).iterdir())
    assert paths
    for path in paths[:5] if name in ON_SOCKETS else paths:
        TARGETS[name](path.read_bytes())


def test_every_kept_input_is_for_a_target_and_all_are_small() -> None:
    paths = [path for path in CORPUS.rglob("*") if path.is_file()]
    assert {path.parent.name for path in paths} == TARGETS.keys()
    assert sum(path.stat().st_size for path in paths) < 1_000_000
