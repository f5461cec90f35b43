"""A misspelt value of a request body is an error of the type checker."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest

from aiopresence.cli.commands import write_options
from aiopresence.models import writable

ROOT = Path(__file__).parents[2]
# Each line with "# wrong" is refused, and no other.
PROGRAM = """
from aiopresence import (
    DndStatus,
    GetPresenceInfo,
    PresenceInfoRequest,
    UpdateUnifiedPresence,
    UpdateUnifiedPresenceGlip,
    UpdateUnifiedPresenceTelephony,
    UserStatus,
)

PresenceInfoRequest(user_status="Offline", dnd_status="TakeAllCalls", caller_id_visibility="All")
PresenceInfoRequest(user_status=UserStatus.BUSY, dnd_status=DndStatus("Tomorrow"))
PresenceInfoRequest(user_status=None, dnd_status_personal="DoNotAcceptAnyCalls")
PresenceInfoRequest(user_status="busy")  # wrong
PresenceInfoRequest(user_status=DndStatus.TAKE_ALL_CALLS)  # wrong
PresenceInfoRequest(dnd_status="TakeDepartmentCallsOnly")  # wrong
PresenceInfoRequest(dnd_status_personal="DoNotAcceptDepartmentCalls")  # wrong
PresenceInfoRequest(caller_id_visibility="Everybody")  # wrong
UpdateUnifiedPresence(UpdateUnifiedPresenceGlip("Visible", "DND"))
UpdateUnifiedPresenceGlip("Hidden")  # wrong
UpdateUnifiedPresenceGlip(availability="Dnd")  # wrong
UpdateUnifiedPresenceTelephony("DoNotAcceptQueueCalls")
UpdateUnifiedPresenceTelephony("DoNotAcceptDepartmentCalls")  # wrong


def repeat(own: GetPresenceInfo) -> PresenceInfoRequest:
    return PresenceInfoRequest(own.user_status, own.dnd_status)
"""


def test_only_possible_values_pass_mypy(tmp_path: Path) -> None:
    file = tmp_path / "program.py"
    file.write_text(PROGRAM)
    # With the project's options, which are strict, and so with its cache.
    done = subprocess.run(  # noqa: S603 - a fixed command
        [sys.executable, "-m", "mypy", file], cwd=ROOT, capture_output=True, text=True
    )
    refused = [int(line) for line in re.findall(r":(\d+): error: .*\[arg-type\]", done.stdout)]
    lines = PROGRAM.splitlines()
    wrong = [number for number, line in enumerate(lines, 1) if line.endswith("# wrong")]
    assert refused == wrong, done.stdout
    assert f"Found {len(wrong)} errors in 1 file" in done.stdout


@pytest.mark.parametrize(
    ("option", "text"),
    [
        (write_options.Status, writable.UserStatusText),
        (write_options.Dnd, writable.DndStatusText),
        (write_options.DndPersonal, writable.DndStatusPersonalText),
        (write_options.CallerId, writable.CallerIdVisibilityText),
        (write_options.GlipVisibility, writable.VisibilityText),
        (write_options.GlipAvailability, writable.GlipAvailabilityText),
        (write_options.TelephonyAvailability, writable.TelephonyAvailabilityText),
    ],
)
def test_the_command_line_takes_the_same_values(option: Any, text: Any) -> None:
    # "on" and "off" are words of the command line: see write_dnd.
    assert {each.value for each in option} - {"on", "off"} == {*get_args(text)}
