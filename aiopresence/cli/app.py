"""The `aiopresence` command: which commands there are, with an example for each.

The commands import the library when they run, so that `--help` does not wait for it.
"""

import typer

from . import platform, reads, streams, watch

app = typer.Typer(
    name="aiopresence",
    help="RingCentral presence on the command line.",
    epilog="Without an account: aiopresence read --sandbox 1000",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

COMMANDS = (
    (reads.read, "aiopresence read --sandbox 1000"),
    (watch.watch, "aiopresence watch --sandbox 200 --rate 20"),
    (streams.events, "aiopresence events account queue:400100200 --detailed"),
    (streams.poll, "aiopresence poll --number 101 --interval 30"),
    (platform.sandbox, "aiopresence sandbox --extensions 200 --rate 5"),
)


def _paragraphs(text: str) -> str:
    """Join the lines of each paragraph, for the help is as wide as the terminal."""
    return "\n\n".join(" ".join(each.split()) for each in text.split("\n\n"))


for function, example in COMMANDS:
    app.command(help=_paragraphs(function.__doc__ or ""), epilog=f"Example: {example}")(function)
