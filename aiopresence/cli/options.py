"""The options and arguments that several commands share."""

from enum import StrEnum
from typing import Annotated

import typer

from .console import print_line
from .output import OutputFormat


def _print_version(is_given: bool) -> None:
    if is_given:
        from importlib.metadata import version

        print_line(f"aiopresence {version('aiopresence')}")
        raise typer.Exit


# Options before the command: see `main` in app.py.
VersionOption = Annotated[
    bool,
    typer.Option(
        "--version", callback=_print_version, is_eager=True, help="Show the version and exit."
    ),
]

_VERBOSE = typer.Option(
    "--verbose",
    "-v",
    count=True,
    show_default=False,
    metavar="",
    help="Log waits, retries, logins and connections to standard error; -vv also each request.",
)
VerboseOption = Annotated[int, _VERBOSE]

# Options of commands.
OutputOption = Annotated[
    OutputFormat,
    typer.Option(
        "--output",
        "-o",
        help="Output format. csv puts an apostrophe before spreadsheet formulas; csv-raw does not.",
    ),
]
StreamOutputOption = Annotated[
    OutputFormat | None,
    typer.Option(
        "--output",
        "-o",
        metavar=f"[{'|'.join(each for each in OutputFormat if each.is_incremental)}]",
        help="Output format. Default: table on a terminal, otherwise jsonl.",
        show_default=False,
    ),
]
AllOption = Annotated[
    bool,
    typer.Option(
        "--all", help="Print every row of a long table on a terminal, not only the first 10."
    ),
]
SandboxOption = Annotated[
    int | None,
    typer.Option(
        "--sandbox", min=1, metavar="N", help="Use an embedded test server with N extensions."
    ),
]
RateOption = Annotated[
    float,
    typer.Option(
        "--rate", min=0, metavar="R", help="Simulate R changes per second (with --sandbox)."
    ),
]
ProfileOption = Annotated[
    str | None,
    typer.Option(
        "--profile",
        envvar="AIOPRESENCE_PROFILE",
        metavar="NAME",
        help="Use this profile of the configuration file.",
    ),
]
IdsArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="IDS", help="Extension ids, names or e-mail addresses; ~ is your own."),
]
NumbersOption = Annotated[
    list[str] | None,
    typer.Option(
        "--number",
        "-n",
        metavar="NUMBERS",
        help="Extension numbers, such as 101 or 101,102; repeatable.",
    ),
]


class RouteChoice(StrEnum):
    """The values of --route."""

    BATCHES = "batches"
    ACCOUNT = "account"
    FASTEST = "fastest"


RouteOption = Annotated[
    RouteChoice,
    typer.Option(
        "--route",
        help="How to read: batches of 30 ids, pages of the whole account, or what is faster.",
    ),
]
DetailedOption = Annotated[bool, typer.Option("--detailed", help="Include active calls.")]
NamesOption = Annotated[
    bool | None,
    typer.Option(
        "--names/--ids",
        help="Show names (requires the permission ReadAccounts), or only ids. Default: names on a"
        " terminal.",
        show_default=False,
    ),
]
ExtensionIdArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="EXTENSION_ID",
        help="Extension id, name or e-mail address. Default: your own extension.",
    ),
]
NumberOption = Annotated[
    str | None,
    typer.Option("--number", "-n", metavar="NUMBER", help="Extension number instead of an id."),
]
