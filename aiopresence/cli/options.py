"""The options that several commands share."""

from enum import StrEnum
from typing import Annotated

import typer


class Output(StrEnum):
    """How results are written."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"
    CSV_RAW = "csv-raw"


As = Annotated[
    Output,
    typer.Option(
        "--output",
        "-o",
        help="How to write the results. In csv, cells that a spreadsheet would run as a formula"
        " begin with an apostrophe; csv-raw has them as they are.",
    ),
]
WithSandbox = Annotated[
    int | None,
    typer.Option("--sandbox", min=1, metavar="N", help="Use an embedded platform of N extensions."),
]
Profile = Annotated[
    str | None,
    typer.Option(
        envvar="AIOPRESENCE_PROFILE", metavar="NAME", help="Use this profile of the configuration."
    ),
]
Ids = Annotated[list[str] | None, typer.Argument(help="Extension ids; ~ is your own.")]
Numbers = Annotated[
    list[str] | None,
    typer.Option("--number", "-n", metavar="NUMBER", help="An extension number, such as 101."),
]
Detailed = Annotated[bool, typer.Option("--detailed", help="With the calls.")]
Names = Annotated[
    bool, typer.Option("--names", help="With the names; needs the permission ReadAccounts.")
]
ExtensionId = Annotated[
    str | None,
    typer.Argument(metavar="EXTENSION_ID", help="An extension id; your own if none is said."),
]
Number = Annotated[
    str | None,
    typer.Option(
        "--number", "-n", metavar="NUMBER", help="Instead of the id: an extension number."
    ),
]
