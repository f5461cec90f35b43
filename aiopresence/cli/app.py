"""The `aiopresence` command: which commands there are, with an example for each.

The commands import the library when they run, so that `--help` does not wait for it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from ..escaping import escaped
from .commands import doctor, events, limits, login, queues, read, sandbox, watch, write
from .console import show


@contextmanager
def _escaped_errors() -> Iterator[None]:
    """Escape what a usage error repeats of the command line, or of a server."""
    try:
        yield
    except TyperException as error:
        error.message = escaped(error.message)
        raise


class Commands(TyperGroup):
    """The commands, whose usage errors have no control characters."""

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        """Parse the options before the command."""
        with _escaped_errors():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: Any) -> Any:
        """Parse the options of the command, and run it."""
        with _escaped_errors():
            return super().invoke(ctx)


app = typer.Typer(
    cls=Commands,
    name="aiopresence",
    help="RingCentral presence on the command line.",
    epilog="Without an account: aiopresence read --sandbox 1000",
    no_args_is_help=True,
    # Plain: the boxes of Rich cut long option names, and errors are to be one line.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

# With an example of each, which a test runs.
COMMANDS = (
    (read.read, "aiopresence read --sandbox 1000"),
    (watch.watch, "aiopresence watch --sandbox 200 --rate 20"),
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
    (doctor.doctor, "aiopresence doctor --sandbox 40"),
    (sandbox.sandbox, "aiopresence sandbox --extensions 200 --rate 5"),
)
CODES = (
    "Exit codes: 0 all went well, 1 something failed, 2 it was called or set up wrongly,"
    " 130 Ctrl-C."
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        show(f"aiopresence {version('aiopresence')}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which it is.")
    ] = False,
) -> None:
    """RingCentral presence on the command line."""


def paragraphs(text: str | None) -> str:
    """Take the line breaks out of the paragraphs of a docstring."""
    return "\n\n".join(" ".join(each.split()) for each in (text or "").split("\n\n"))


for function, example in COMMANDS:
    app.command(
        name=function.__name__.strip("_").replace("_", "-"),
        help=paragraphs(function.__doc__),
        epilog=f"{CODES}\n\nExample: {example}",
    )(function)
