"""The nine presence calls, the account's pages and the directory."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.support.independent import records, updates
from tests.support.independent.account import Account, Extension, Json
from tests.support.independent.batches import (
    MULTIPART_JSON,
    BatchStyle,
    Part,
    array_response,
    draw_style,
    multipart_response,
)
from tests.support.independent.errors import ApiFailure, invalid, not_found
from tests.support.independent.http_wire import JSON, Request, Response, json_response

MOST_IN_BATCH = 30
Groups = dict[str, Any]


@dataclass
class Call:
    """One request that was routed: the names of its path, and its query."""

    request: Request
    names: dict[str, str]
    query: dict[str, str]

    def flag(self, name: str) -> bool:
        value = self.query.get(name, "false")
        if value not in {"true", "false"}:
            raise invalid(name)
        return value == "true"

    def number(self, name: str, default: int) -> int:
        value = self.query.get(name, str(default))
        if not value.isascii() or not value.isdigit() or int(value) < 1:
            raise invalid(name)
        return int(value)


@dataclass
class PresenceCalls:
    """Handlers of the calls. `style` fixes how batches are written; None draws it each time."""

    account: Account
    server: Callable[[], str]
    chance: random.Random
    violations: list[str]
    presence_changed: Callable[[Extension, Json], None]
    queue_changed: Callable[[str, Extension], None]
    style: BatchStyle | None = None
    most_per_page: int = 1000

    def read_presence(self, call: Call) -> Response:
        detailed, sip_data = call.flag("detailedTelephonyState"), call.flag("sipData")

        def record(extension: Extension) -> Json:
            return records.presence_record(
                self.account, extension, self.server(), detailed=detailed, sip_data=sip_data
            )

        parts = self._parts(call, record, "presence")
        if len(parts) == 1:
            return json_response(parts[0].status, parts[0].body)
        if MULTIPART_JSON in (call.request.header("Accept") or ""):
            return array_response(parts)
        boundary = f"Boundary_{self.chance.randrange(10**9)}_{self.chance.randrange(10**13)}"
        style = self.style or draw_style(self.chance)
        return multipart_response(parts, style, self.server(), boundary)

    def update_presence(self, call: Call) -> Response:
        extension = self._one(call)
        body = updates.parse_body(call.request.body, call.request.content_type)
        self.presence_changed(extension, updates.checked_presence(extension, body))
        record = records.presence_record(
            self.account, extension, self.server(), detailed=False, sip_data=False
        )
        return json_response(200, record)

    def read_account(self, call: Call) -> Response:
        detailed, sip_data = call.flag("detailedTelephonyState"), call.flag("sipData")
        shown = [
            records.presence_record(
                self.account, each, self.server(), detailed=detailed, sip_data=sip_data
            )
            for each in self._visible()
        ]
        return self._page(call, shown, default=100, most=self.most_per_page)

    def read_queue(self, call: Call) -> Response:
        return json_response(200, records.queue_record(self.account, self._queue(call)))

    def update_queue(self, call: Call) -> Response:
        queue_id = self._queue(call)
        body = updates.parse_body(call.request.body, call.request.content_type)
        for member in updates.update_queue(self.account, queue_id, body):
            self.queue_changed(queue_id, member)
        return json_response(200, records.queue_record(self.account, queue_id))

    def read_member(self, call: Call) -> Response:
        editable = call.flag("editableMemberStatus")
        record = records.member_record(self.account, self._one(call), editable=editable)
        return json_response(200, record)

    def update_member(self, call: Call) -> Response:
        extension = self._one(call)
        body = updates.parse_body(call.request.body, call.request.content_type)
        for queue_id in updates.update_member(extension, body):
            self.queue_changed(queue_id, extension)
        record = records.member_record(self.account, extension, editable=False)
        return json_response(200, record)

    def read_unified(self, call: Call) -> Response:
        def record(extension: Extension) -> Json:
            return records.unified_record(self.account, extension)

        parts = self._parts(call, record, "unified-presence")
        if len(parts) == 1:
            return json_response(parts[0].status, parts[0].body)
        return array_response(parts, JSON)

    def update_unified(self, call: Call) -> Response:
        extension = self._one(call)
        if extension.id != self.account.caller:
            raise ApiFailure("CMN-408", "Unified presence of others cannot be changed")
        body = updates.parse_body(call.request.body, call.request.content_type)
        self.presence_changed(extension, updates.update_unified(extension, body))
        return json_response(200, records.unified_record(self.account, extension))

    def read_directory(self, call: Call) -> Response:
        if call.flag("showFederated") or "showFederated" not in call.query:
            self.violations.append("the directory of other accounts was asked for")
        kind = call.query.get("type")
        entries = [records.directory_entry(self.account, each) for each in self._visible()]
        kept = [each for each in entries if kind in {None, each["type"]}]
        return self._page(call, kept, default=1000, most=2000)

    def read_extensions(self, call: Call) -> Response:
        shown = [records.extension_record(self.account, e, self.server()) for e in self._visible()]
        return self._page(call, shown, default=100, most=1000)

    def read_extension(self, call: Call) -> Response:
        record = records.extension_record(self.account, self._one(call), self.server())
        return json_response(200, record)

    def _parts(self, call: Call, record: Callable[[Extension], Json], resource: str) -> list[Part]:
        """Return the answer for each id of the path, or raise what concerns all of them."""
        raw = call.names["ids"]
        if "%" in raw:
            self.violations.append(f"ids are encoded: {raw}")
            raise invalid("extensionId")
        ids = raw.split(",")
        if len(ids) > MOST_IN_BATCH:
            message = "Extension Presence Info multipart request is limited to 30 extensions"
            code = self.chance.choice(("InvalidMultipartRequest", "CMN-106"))
            raise ApiFailure(code, message, "extensionId")
        if len(set(ids)) < len(ids):
            self.violations.append(f"an id twice in one request: {raw}")
            raise ApiFailure("CMN-406", "Duplicate value in [extensionId]", "extensionId")
        if len(ids) > 1 and "~" in ids:
            self.violations.append(f"a tilde among other ids: {raw}")
        return [self._part(id_, record, resource) for id_ in ids]

    def _part(self, id_: str, record: Callable[[Extension], Json], resource: str) -> Part:
        path = f"/restapi/v1.0/account/{self.account.id}/extension/{id_}/{resource}"
        try:
            return Part(id_, path, 200, record(self._extension(id_)))
        except ApiFailure as failure:
            return Part(id_, path, failure.status, failure.body)

    def _extension(self, id_: str) -> Extension:
        extension = self.account.extensions.get(self.account.resolve(id_))
        if extension is None:
            raise not_found("extensionId")
        if extension.id in self.account.forbidden:
            raise ApiFailure("CMN-408", "The user has no access to this extension", "extensionId")
        return extension

    def _one(self, call: Call) -> Extension:
        return self._extension(call.names["ids"])

    def _queue(self, call: Call) -> str:
        queue = self.account.extensions.get(call.names["queue"])
        if queue is None or queue.kind != "Department":
            raise not_found("groupId")
        return queue.id

    def _visible(self) -> list[Extension]:
        account = self.account
        return [e for e in account.extensions.values() if e.id not in account.forbidden]

    def _page(self, call: Call, items: list[Json], *, default: int, most: int) -> Response:
        """Return one page of a list; a page size that is too large is clamped silently."""
        page = call.number("page", 1)
        size = min(call.number("perPage", default), most)
        start = (page - 1) * size
        shown = items[start : start + size]
        uri = self.server() + call.request.path
        last = max(1, -(-len(items) // size))
        body: Json = {"uri": uri, "records": shown}
        body["paging"] = {
            "page": page,
            "perPage": size,
            "pageStart": start,
            "pageEnd": max(0, start + len(shown) - 1),
            "totalPages": last,
            "totalElements": len(items),
        }
        pages = {"firstPage": 1, "lastPage": last}
        if page > 1:
            pages["previousPage"] = page - 1
        if page < last:
            pages["nextPage"] = page + 1
        link = f"{uri}?perPage={size}&page="
        body["navigation"] = {name: {"uri": f"{link}{number}"} for name, number in pages.items()}
        return json_response(200, self._partly(body))

    def _partly(self, body: Json) -> Json:
        """Leave out, by chance, the totals of a page, its number too, or the navigation."""
        left_out = self.chance.choice((set(), {"totalPages", "totalElements"}, {"navigation"}))
        if left_out == {"navigation"}:
            del body["navigation"]
            return body
        if left_out and self.chance.random() < 0.5:
            left_out |= {"page"}
        body["paging"] = {k: v for k, v in body["paging"].items() if k not in left_out}
        return body
