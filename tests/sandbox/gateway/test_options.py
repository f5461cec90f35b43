"""The options of the gateway."""

import pytest

from aiopresence.errors import UsageError
from aiopresence.sandbox import GatewayPlan
from tests.support.sandbox_socket import (
    EVERYONE,
)

DETAILED = f"{EVERYONE}?detailedTelephonyState=true"


def test_invalid_options_are_usage_errors() -> None:
    for wrong in ({"idle_timeout": 0}, {"recovery_timeout": float("inf")}, {"max_connections": -1}):
        with pytest.raises(UsageError):
            GatewayPlan(**wrong)
