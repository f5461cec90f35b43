"""One extension's own record."""

from . import representations
from .request_context import Ask
from .responses import Reply, json_reply


def read_extension(ask: Ask) -> Reply:
    """GET …/extension/{id}: who an extension is, and of which account."""
    extension = ask.extension(ask.only_id())
    uri = f"{ask.base}/restapi/v1.0/account/{ask.account.id}"
    account = {"uri": uri, "id": ask.account.id}
    return json_reply(
        representations.listed(ask.base, ask.account, extension) | {"account": account}
    )
