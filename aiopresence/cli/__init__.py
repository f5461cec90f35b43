"""The `aiopresence` command. It requires the extra `cli`."""

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command; exit with a message if its dependencies are not installed."""
    try:
        _main()
    except KeyboardInterrupt:  # During an import: a command that runs handles it itself.
        sys.exit(130)


def _main() -> None:
    try:
        from .app import run
    except ModuleNotFoundError as error:
        if error.name not in ("typer", "rich"):
            raise
        sys.exit("The aiopresence command requires: python -m pip install 'aiopresence[cli]'")
    from .console import flush_streams, prepare_streams, print_notice

    prepare_streams()
    try:
        run()
    except OSError as error:  # The help text could not be written.
        print_notice(f"aiopresence: {error}")
        sys.exit(1)
    finally:
        flush_streams()
