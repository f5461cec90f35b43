"""How often rules apply."""

from typing import Any

import pytest

from aiopresence import UsageError
from aiopresence.sandbox import FaultRule, GatewayRule, WebhookRule
from aiopresence.sandbox.rules import Rule


@pytest.mark.parametrize(
    ("times", "skip", "applies"),
    [
        (1, 0, [True, False, False, False]),
        (2, 1, [False, True, True, False]),
        (0, 0, [False] * 4),
        (None, 0, [True] * 4),
        (None, 3, [False, False, False, True]),
    ],
)
def test_a_rule_skips_occasions_then_applies_to_some(
    times: int | None, skip: int, applies: list[bool]
) -> None:
    rule = Rule(times, skip)
    assert [rule.take() for _ in range(4)] == applies
    assert rule.fired == sum(applies)
    assert rule.exhausted == (times is not None and rule.fired == times)


@pytest.mark.parametrize("arguments", [(-1,), (1.0,), (True,), (1, None), (1, -1)])
def test_invalid_numbers_are_usage_errors(arguments: tuple[Any, ...]) -> None:
    with pytest.raises(UsageError, match="must be a whole number"):
        Rule(*arguments)


@pytest.mark.parametrize("kind", [FaultRule, GatewayRule, WebhookRule])
def test_all_rules_of_the_sandbox_count_in_the_same_way(kind: type) -> None:
    assert issubclass(kind, Rule)
    assert kind.take is Rule.take
