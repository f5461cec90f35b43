"""The error for arguments that a command cannot use."""

import typer


class InvalidArgument(typer.BadParameter):
    """An argument is invalid or missing: exit code 2, with the usage line and the message.

    Typer puts "Invalid value:" before the message of a BadParameter, which fits no message here.
    """

    def format_message(self) -> str:
        """Return the message as it is."""
        return self.message
