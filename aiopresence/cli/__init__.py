"""The `aiopresence` command. It needs the extra `cli`."""

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command, or say in one line what to install for it."""
    try:
        from .app import app
    except ModuleNotFoundError as error:
        if error.name not in ("typer", "rich"):
            raise
        sys.exit("The aiopresence command needs: python -m pip install 'aiopresence[cli]'")
    from .console import note, prepare, settle

    prepare()
    try:
        app()
    except OSError as error:  # The help could not be written.
        note(f"aiopresence: {error}")
        sys.exit(1)
    finally:
        settle()
