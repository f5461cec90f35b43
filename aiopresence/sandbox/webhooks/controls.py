"""The remote control of webhooks."""

from typing import Literal

from ...errors import UsageError
from .. import argument_checks
from .delivery import Webhook, WebhookDelivery, WebhookRule
from .subscriptions import Webhooks


class WebhookControl:
    """What goes on at webhooks, and what is to go wrong there: `sandbox.webhooks`.

    Webhooks are called on this machine only, by plain http; any other address is refused.

    Attributes:
        deliveries: the latest calls of webhooks, handshakes included, 10,000 at most.
    """

    def __init__(self, webhooks: Webhooks) -> None:
        self._webhooks = webhooks
        self._courier = webhooks.courier
        self.deliveries: list[WebhookDelivery] = self._courier.deliveries

    @property
    def subscriptions(self) -> tuple[Webhook, ...]:
        """The subscriptions that have not been ended, in the order in which they were made."""
        return tuple(self._webhooks.all.values())

    def blacklist(self, id_: str, reason: str = "Blacklisted by the test") -> None:
        """Let RingCentral give a webhook up; UsageError when there is none."""
        argument_checks.text("reason", reason)
        self._find(id_).blacklist(reason)

    def suspend(self, id_: str) -> None:
        """Let a subscription be suspended; UsageError when there is none."""
        self._find(id_).status = "Suspended"

    def expire(self, id_: str) -> None:
        """Let a subscription have expired, so that it is gone; UsageError when there is none."""
        self._webhooks.end(self._find(id_))

    def duplicate(self, times: int | None = 1) -> WebhookRule:
        """Deliver notifications twice, with the same uuid.

        Args:
            times: how many; None for all from now on.
        """
        rule = WebhookRule(times)
        self._courier.duplicates.append(rule)
        return rule

    def secret_in(self, header: Literal["Verification-Token", "Validation-Token"]) -> None:
        """Choose the header in which every notification has the secret; the first by default."""
        argument_checks.one_of("header", header, ("Verification-Token", "Validation-Token"))
        self._courier.header = header

    @property
    def attempts(self) -> int:
        """How often a notification is sent before its webhook is blacklisted."""
        return self._courier.attempts

    @attempts.setter
    def attempts(self, attempts: int) -> None:
        argument_checks.whole("attempts", attempts, 1)
        self._courier.attempts = attempts

    @property
    def retry_seconds(self) -> float:
        """How long after a failure a notification is sent again."""
        return self._courier.retry_seconds

    @retry_seconds.setter
    def retry_seconds(self, seconds: float) -> None:
        argument_checks.seconds("retry_seconds", seconds, zero=True)
        self._courier.retry_seconds = seconds

    @property
    def patience(self) -> float:
        """The seconds that a webhook may take to answer."""
        return self._courier.patience

    @patience.setter
    def patience(self, seconds: float) -> None:
        argument_checks.seconds("patience", seconds)
        self._courier.patience = seconds

    async def delivered(self) -> None:
        """Wait until every notification so far is delivered or given up."""
        for webhook in self.subscriptions:
            await webhook.outbox.join()

    def _find(self, id_: str) -> Webhook:
        if not isinstance(id_, str) or id_ not in self._webhooks.all:
            raise UsageError("the sandbox has no such subscription; see subscriptions")
        return self._webhooks.all[id_]
