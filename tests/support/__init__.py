"""What several tests share: servers, clocks, sessions, terminals."""

import pkgutil
import sys

if "pytest" in sys.modules:  # It is not in programs that tests start.
    # Better messages, and assertions that `-O` leaves in.
    _names = [f"{__name__}.{module.name}" for module in pkgutil.iter_modules(__path__)]
    sys.modules["pytest"].register_assert_rewrite(*_names)
