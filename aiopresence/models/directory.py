"""The directory of an account: who its extensions are.

Source of names and meanings: RingCentral API reference, "List Company Directory Entries".
"""

import attrs

from ..enums import ExtensionStatus, ExtensionType
from ..ids import RecordId
from .queues import SiteBasicInfo


@attrs.frozen(weakref_slot=False)
class DirectoryEntry:
    """An extension in the directory. Any field but the id may be None.

    Attributes:
        id: the internal id, which calls take; it is not the number people dial.
        extension_number: the number people dial, usually 3 or 4 digits.
        name: the full name of a person, or the name of a call queue or another extension.
        first_name: the first name of a person.
        last_name: the last name of a person.
        email: the e-mail address.
        type: what the extension is: a person, a call queue, and so on.
        status: whether it is in use.
        department: the department of a person.
        job_title: the job title of a person.
        site: the site of the extension.
    """

    id: RecordId
    extension_number: str | None = None
    name: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    type: ExtensionType | None = None
    status: ExtensionStatus | None = None
    department: str | None = None
    job_title: str | None = None
    site: SiteBasicInfo | None = None
