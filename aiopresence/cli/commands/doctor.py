"""The command that finds out what is wrong."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..console import note, show_json
from ..options import Output, Profile, WithSandbox
from ..output import Writer, document_text
from ..session import FAILED, connected, run
from .login import As, Form

if TYPE_CHECKING:
    from ..doctor.checks import Finding

Drift = Annotated[
    bool,
    typer.Option("--drift", help="Instead, look for fields and values that this version misses."),
]


def doctor(
    drift: Drift = False,
    output: As = Form.TABLE,
    sandbox: WithSandbox = None,
    profile: Profile = None,
) -> None:
    """Check everything that presence needs, and say what to do about what is wrong.

    The settings and who can read them, the way to the server, the clock, the login, each
    permission, one read of each kind, events, and the limits. Nothing is changed: what is written
    is what one's own presence already says. What needs something that is wrong is skipped. The
    exit code is 1 when something is wrong.

    With --drift it reads presence as RingCentral sends it, and lists the fields and the values of
    enumerations that this version does not know, and nothing else of what was sent. The exit code
    is 1 when there are any.
    """
    run(_drift(output, sandbox, profile) if drift else _doctor(output, sandbox, profile))


async def _doctor(output: Form, sandbox: int | None, profile: str | None) -> None:
    from ..doctor import checks

    findings = []
    form = Output.JSON if output is Form.JSON else Output.TABLE
    with Writer(form, {"": 1, "check": 31, "found": 0}, _row, _document) as writer:
        async for finding in checks.examine(sandbox, profile):
            writer.write(finding)
            findings.append(finding)
    if any(finding.ok is False for finding in findings):
        raise typer.Exit(FAILED)


def _row(finding: "Finding") -> list[str]:
    signs = {True: "✓", False: "✗", None: "·"}
    sign = signs[finding.ok]
    try:
        sign.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        sign = {True: "+", False: "x", None: "-"}[finding.ok]
    return [sign, finding.check, finding.text]


def _document(finding: "Finding") -> dict[str, Any]:
    return {"check": finding.check, "ok": finding.ok, "text": finding.text}


async def _drift(output: Form, sandbox: int | None, profile: str | None) -> None:
    from ..doctor import drift

    async with connected(sandbox, profile) as (session, _):
        found, failed = await drift.look(session)
    if output is Form.JSON:
        show_json(document_text([{"path": path, "value": value} for path, value in found], 2))
    else:
        with Writer(Output.TABLE, {"path": 60, "value": 0}, lambda row: row) as writer:
            for each in found:
                writer.write(each)
    for error in failed:
        note(f"aiopresence: {error}")
    note(_summary(len(found), len(failed), len(drift.READS)))
    if found or failed:
        raise typer.Exit(FAILED)


def _summary(new: int, unread: int, kinds: int) -> str:
    known = f"{new} that this version does not know" if new else "nothing new"
    if unread >= kinds:
        return "Could not check: no kind of presence could be read."
    if unread:
        return f"Could not check {unread} kind{'s' * (unread > 1)} of presence; else {known}."
    return f"{known[0].upper()}{known[1:]}."
