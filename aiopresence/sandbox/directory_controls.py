"""The methods of `Sandbox` that change who its extensions are."""

from ..errors import UsageError
from . import argument_checks, fake_people
from .account import Extension
from .presence_controls import PresenceControls

# What can be set: the text that the directory has, by the name of the argument.
_NAMES = ("name", "number", "email", "department", "job_title", "status")


class DirectoryControls(PresenceControls):
    """The methods of `Sandbox` about its directory. RingCentral notifies of no such change."""

    def set_extension(self, extension_id: str, **changes: str) -> None:
        """Change who an extension is.

        Args:
            extension_id: the id of the extension; `~` for the user who logs in.
            changes: any of name, number, email, department, job_title and status, such as
                Disabled. Of a person's name the first word is the first name.

        Raises:
            UsageError: there is no such extension, or a name or value is not valid; nothing is
                changed then.
        """
        extension = self._extension(extension_id)
        for name, value in changes.items():
            if name not in _NAMES:
                raise UsageError(f"{name} cannot be set; one of {', '.join(_NAMES)} can")
            argument_checks.text(name, value)
        for name, value in changes.items():
            setattr(extension, name, value)

    def add_extension(self, name: str, **details: str) -> str:
        """Add a person, and return the id.

        Args:
            name: the first name and the last name.
            details: as the changes of `set_extension`; by default, the next number and an
                e-mail address made of the name.

        Raises:
            UsageError: a name or value is not valid; nothing is added then.
        """
        argument_checks.text("name", name)
        account, rng = self._account, self._state.rng
        [id_] = fake_people.ids(rng, 1)
        number = str(101 + len(account.extensions))
        email = fake_people.email(name, number)
        account.extensions[id_] = Extension(
            id_, number, name, "User", fake_people.phone_number(rng), site=0, email=email
        )
        try:
            self.set_extension(id_, **details)
        except UsageError:
            del account.extensions[id_]
            raise
        self.feed.remember()
        return id_
