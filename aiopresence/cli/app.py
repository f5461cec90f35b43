"""The `aiopresence` command: its subcommands, with an example for each.

To add a command, write its module in commands/ and add a line to `COMMANDS`. Commands import the
library when they run, so that `--help` does not have to.
"""

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException
from typer.main import get_command

from ..escaping import escaped
from .commands import (
    doctor,
    events,
    fleet,
    limits,
    login,
    queues,
    read,
    sandbox,
    serve,
    watch,
    write,
)
from .console import print_line
from .diagnostics import add_verbosity, set_verbosity
from .options import VerboseOption, VersionOption


@contextmanager
def _clean_errors() -> Iterator[None]:
    """Escape control characters in usage errors, and remove the prefix of Typer's validation.

    The messages quote arguments and text from the server.
    """
    try:
        yield
    except TyperException as error:
        error.message = escaped(error.message.removeprefix("Value error, "))
        raise


class Commands(TyperGroup):
    """The command group; its usage errors contain no control characters."""

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        """Parse the options before the command."""
        with _clean_errors():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: Any) -> Any:
        """Parse the options of the command and run it."""
        with _clean_errors():
            return super().invoke(ctx)


app = typer.Typer(
    cls=Commands,
    name="aiopresence",
    help="Read, change and watch RingCentral presence.",
    epilog="Try it without an account: aiopresence read --sandbox 1000",
    invoke_without_command=True,
    # Plain text: Rich's boxes cut long option names, and errors should take one line.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

# Each command with an example, which a test runs.
COMMANDS = (
    (read.read, "aiopresence read --sandbox 1000"),
    (watch.watch, "aiopresence watch --sandbox 200 --rate 20"),
    (serve.serve, "aiopresence serve --sandbox 200 --rate 20"),
    (events.events, "aiopresence events account queue:400100200 --detailed"),
    (events.poll, "aiopresence poll --number 101 --interval 30"),
    (read.account, "aiopresence account --sandbox 200 --names"),
    (read.unified, "aiopresence unified --sandbox 40 --output jsonl"),
    (queues.queue, "aiopresence queue --sandbox 40"),
    (queues.queues, "aiopresence queues --sandbox 200 --number 101"),
    (write.set_, "aiopresence set --sandbox 40 --status Busy --message 'Back at 3'"),
    (write.queue_set, "aiopresence queue-set --sandbox 40 --no-accept"),
    (write.unified_set, "aiopresence unified-set --sandbox 40 --glip-availability DND"),
    (limits.limits, "aiopresence limits --sandbox 40 --all"),
    (login.login, "aiopresence login --profile work"),
    (login.logout, "aiopresence logout --profile work"),
    (login.whoami, "aiopresence whoami --output json"),
    (fleet.follow, "aiopresence follow --redis redis://localhost --accounts accounts.toml"),
    (fleet.fleet, "aiopresence fleet --redis redis://localhost"),
    (doctor.doctor, "aiopresence doctor --sandbox 40"),
    (sandbox.sandbox, "aiopresence sandbox --extensions 200 --rate 5"),
)
EXIT_CODES = "Exit codes: 0 success, 1 something failed, 2 usage or settings error, 130 Ctrl-C."


@app.callback()
def main(ctx: typer.Context, version: VersionOption = False, verbose: VerboseOption = 0) -> None:
    """Read, change and watch RingCentral presence."""
    set_verbosity(verbose)
    if ctx.invoked_subcommand is None:
        for line in ctx.get_help().splitlines():
            print_line(line)


def with_verbose_option(function: Callable[..., None]) -> Callable[..., None]:
    """Return a command that takes `-v`, too: it may stand before or after the command's name."""

    @functools.wraps(function)
    def command(*args: Any, verbose: int, **options: Any) -> None:
        add_verbosity(verbose)
        function(*args, **options)

    # Typer makes the options from these.
    signature = inspect.signature(function)
    option = inspect.Parameter(
        "verbose", inspect.Parameter.KEYWORD_ONLY, default=0, annotation=VerboseOption
    )
    parameters = [*signature.parameters.values(), option]
    command.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {**function.__annotations__, "verbose": VerboseOption}
    return command


def join_lines(text: str | None) -> str:
    """Return a docstring with each paragraph on one line."""
    return "\n\n".join(" ".join(each.split()) for each in (text or "").split("\n\n"))


for function, example in COMMANDS:
    app.command(
        name=function.__name__.strip("_").replace("_", "-"),
        help=join_lines(function.__doc__),
        epilog=f"{EXIT_CODES}\n\nExample: {example}",
    )(with_verbose_option(function))

# What runs a command line. Typer would make all commands again for each one.
run = get_command(app)
