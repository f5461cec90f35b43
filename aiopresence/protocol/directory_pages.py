"""The pages of the two listings that have the names of extensions, and what entries they make.

The directory has everything about a person in the record. The list of extensions, which every plan
has, has most of it in `contact`.

Source: RingCentral API reference, "List Company Directory Entries", "List Extensions".
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import attrs

from ..enums import ExtensionStatus, ExtensionType
from ..ids import RecordId
from ..models import DirectoryEntry, PresenceNavigationInfo, PresencePagingInfo, SiteBasicInfo
from .frozen_records import constructor
from .untracking import untrack

T = TypeVar("T")


@attrs.frozen(weakref_slot=False)
class DirectoryAccount:
    """The account of a record; only where contacts of several accounts are listed."""

    id: RecordId | None = None


@attrs.frozen(weakref_slot=False)
class ExtensionContact:
    """What the list of extensions has about a person."""

    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    department: str | None = None
    job_title: str | None = None


@attrs.frozen(weakref_slot=False)
class DirectoryRecord:
    """A record of either listing."""

    id: RecordId | None = None
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
    account: DirectoryAccount | None = None
    contact: ExtensionContact | None = None


@attrs.frozen(weakref_slot=False)
class DirectoryPage:
    """A page of either listing."""

    records: tuple[DirectoryRecord, ...] | None = None
    paging: PresencePagingInfo | None = None
    navigation: PresenceNavigationInfo | None = None


_entry: Callable[..., DirectoryEntry] = constructor(DirectoryEntry)
_NO_CONTACT = ExtensionContact()


class EntryMaker:
    """Makes entries that take little memory: equal names and sites are one object.

    Args:
        account_id: the account; "~" is the caller's own, whose id is not known.
    """

    def __init__(self, account_id: str) -> None:
        self._account_id = account_id
        self._shared: dict[Any, Any] = {}

    def entries(self, records: Iterable[DirectoryRecord]) -> Iterator[DirectoryEntry]:
        """Yield the entries of records, except for those without an id or of other accounts."""
        for record in records:
            if record.id and not self._is_foreign(record):
                yield self._entry(record.id, record)

    def _is_foreign(self, record: DirectoryRecord) -> bool:
        account_id = record.account.id if record.account else None
        return record.type is ExtensionType.EXTERNAL or (
            self._account_id != "~" and account_id not in (None, self._account_id)
        )

    def _entry(self, id_: str, record: DirectoryRecord) -> DirectoryEntry:
        share, contact = self._share, record.contact or _NO_CONTACT
        first = record.first_name or contact.first_name
        last = record.last_name or contact.last_name
        name = record.name or " ".join(filter(None, (first, last)))
        entry = _entry(
            id_,
            record.extension_number,
            name.strip() or None,
            share(first),
            share(last),
            record.email or contact.email,
            share(record.type),
            share(record.status),
            share(record.department or contact.department),
            share(record.job_title or contact.job_title),
            share(record.site),
        )
        untrack(entry)
        return entry

    def _share(self, value: T) -> T:
        """Return the first value that was equal to this one."""
        shared: T = self._shared.setdefault((type(value), value), value)
        return shared
