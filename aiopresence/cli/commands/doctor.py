"""The command that checks settings, login, permissions and the connection."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..columns import Column
from ..console import print_notice
from ..options import OutputOption, ProfileOption, SandboxOption
from ..output import Layout, OutputFormat, one_row
from ..session import EXIT_FAILED, open_session, run_command

if TYPE_CHECKING:
    from ..doctor.checks import CheckResult

DriftOption = Annotated[
    bool,
    typer.Option(
        "--drift", help="Check for fields and values of the API that this version does not know."
    ),
]


def doctor(
    drift: DriftOption = False,
    output: OutputOption = OutputFormat.TABLE,
    sandbox: SandboxOption = None,
    profile: ProfileOption = None,
) -> None:
    """Check settings, login, permissions and connection.

    Checks the settings and the modes of their files, the connection to the server, the clock, the
    login, each permission, one read of each kind, events, and the rate limits, and reports how to
    fix what fails. Nothing changes: the write check sets your own presence to its current value. A
    check is skipped if one that it depends on has failed. The exit code is 1 if a check fails.

    With --drift, instead read presence as RingCentral sends it and list unknown fields and enum
    values; nothing else of the responses is printed. The exit code is 1 if there are any.
    """
    run_command(_drift(output, sandbox, profile) if drift else _doctor(output, sandbox, profile))


async def _doctor(output: OutputFormat, sandbox: int | None, profile: str | None) -> None:
    from ..doctor.checks import run_checks

    results = []
    with output.renderer(_CHECKS) as renderer:
        async for result in run_checks(sandbox, profile):
            renderer.write(result)
            results.append(result)
    if any(result.ok is False for result in results):
        raise typer.Exit(EXIT_FAILED)


def _cells(result: "CheckResult") -> list[str]:
    sign = {True: "✓", False: "✗", None: "·"}[result.ok]
    try:
        sign.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        sign = {True: "+", False: "x", None: "-"}[result.ok]
    return [sign, result.check, result.text]


def _document(result: "CheckResult") -> dict[str, Any]:
    return {"check": result.check, "ok": result.ok, "text": result.text}


async def _drift(output: OutputFormat, sandbox: int | None, profile: str | None) -> None:
    from ..doctor import drift

    async with open_session(sandbox, profile) as (session, _):
        unknown, errors = await drift.find_drift(session)
    if unknown or output is not OutputFormat.TABLE:
        with output.renderer(_DRIFT) as renderer:
            for each in unknown:
                renderer.write(each)
    for error in errors:
        print_notice(f"aiopresence: {error}")
    print_notice(_drift_summary(len(unknown), len(errors), len(drift.READS)))
    if unknown or errors:
        raise typer.Exit(EXIT_FAILED)


def _drift_summary(unknown: int, failed: int, kinds: int) -> str:
    if failed >= kinds:
        return "Check failed: no kind of presence could be read."
    found = f"{unknown} unknown fields or values" if unknown else "no unknown fields or values"
    if failed:
        return f"{failed} kind{'s' * (failed > 1)} of presence could not be read; {found}."
    return f"{found[0].upper()}{found[1:]}."


_CHECKS = Layout(
    {"": Column(1), "check": Column(31), "result": Column(0)}, one_row(_cells), _document
)
_DRIFT = Layout(
    {"path": Column(60), "value": Column(0)},
    one_row(lambda found: found),
    lambda found: {"path": found[0], "value": found[1]},
)
