"""`Sandbox.webhooks`: how tests inspect and disturb webhooks."""

from typing import Literal

from ...errors import UsageError
from .. import argument_checks
from .delivery import Webhook, WebhookDelivery, WebhookRule
from .subscriptions import WebhookSubscriptions


class WebhookControl:
    """`Sandbox.webhooks`: webhook subscriptions, deliveries and their faults.

    Webhooks must have an http address on this machine; subscriptions to others are refused.

    Attributes:
        deliveries: the latest requests to webhooks, handshakes included, at most 10,000.
    """

    def __init__(self, webhooks: WebhookSubscriptions) -> None:
        self._webhooks = webhooks
        self._deliverer = webhooks.deliverer
        self.deliveries: list[WebhookDelivery] = self._deliverer.deliveries

    @property
    def subscriptions(self) -> tuple[Webhook, ...]:
        """The subscriptions that have not been ended, in the order of their creation."""
        return tuple(self._webhooks.all.values())

    def blacklist(self, id_: str, reason: str = "Blacklisted by the test") -> None:
        """Blacklist a webhook, as RingCentral does after failures: it receives nothing more.

        Args:
            id_: the id of the subscription.
            reason: the reason in blacklistedData.

        Raises:
            UsageError: there is no such subscription.
        """
        argument_checks.text("reason", reason)
        self._find(id_).blacklist(reason)

    def suspend(self, id_: str) -> None:
        """Suspend a subscription by its id; UsageError if there is none."""
        self._find(id_).status = "Suspended"

    def expire(self, id_: str) -> None:
        """Expire a subscription by its id, which ends it; UsageError if there is none."""
        self._webhooks.end(self._find(id_))

    def duplicate(self, times: int | None = 1) -> WebhookRule:
        """Deliver notifications twice, with the same uuid.

        Args:
            times: how many notifications; None for all from now on.
        """
        rule = WebhookRule(times)
        self._deliverer.duplicates.append(rule)
        return rule

    def secret_in(self, header: Literal["Verification-Token", "Validation-Token"]) -> None:
        """Set the header that has the verification token; by default `Verification-Token`."""
        argument_checks.one_of("header", header, ("Verification-Token", "Validation-Token"))
        self._deliverer.header = header

    @property
    def attempts(self) -> int:
        """Attempts per notification before its webhook is blacklisted; 3 by default."""
        return self._deliverer.attempts

    @attempts.setter
    def attempts(self, attempts: int) -> None:
        argument_checks.whole("attempts", attempts, 1)
        self._deliverer.attempts = attempts

    @property
    def retry_seconds(self) -> float:
        """Seconds from a failed attempt to the next; 1 by default."""
        return self._deliverer.retry_seconds

    @retry_seconds.setter
    def retry_seconds(self, seconds: float) -> None:
        argument_checks.seconds("retry_seconds", seconds, zero=True)
        self._deliverer.retry_seconds = seconds

    @property
    def timeout(self) -> float:
        """Seconds that a webhook may take to respond; 3 by default, as at RingCentral."""
        return self._deliverer.timeout

    @timeout.setter
    def timeout(self, seconds: float) -> None:
        argument_checks.seconds("timeout", seconds)
        self._deliverer.timeout = seconds

    async def delivered(self) -> None:
        """Wait until every notification so far is delivered or has failed for good."""
        for webhook in self.subscriptions:
            await webhook.undelivered.join()

    def _find(self, id_: str) -> Webhook:
        if not isinstance(id_, str) or id_ not in self._webhooks.all:
            found = argument_checks.shown(id_)
            raise UsageError(f"the sandbox has no subscription {found}; see webhooks.subscriptions")
        return self._webhooks.all[id_]
