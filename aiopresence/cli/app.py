"""The `aiopresence` command: which commands there are, with an example for each.

The commands import the library when they run, so that `--help` does not wait for it.
"""

import typer

from . import access, doctor, platform, reads

app = typer.Typer(
    name="aiopresence",
    help="RingCentral presence on the command line.",
    epilog="Without an account: aiopresence read --sandbox 1000",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)

COMMANDS = (
    (reads.read, "aiopresence read --sandbox 1000"),
    (access.login, "aiopresence login --profile work"),
    (access.logout, "aiopresence logout --profile work"),
    (access.whoami, "aiopresence whoami --output json"),
    (doctor.doctor, "aiopresence doctor --sandbox 40"),
    (platform.sandbox, "aiopresence sandbox --extensions 200 --rate 5"),
)

for function, example in COMMANDS:
    app.command(epilog=f"Example: {example}")(function)
