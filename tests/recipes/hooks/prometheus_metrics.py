"""Export what a session does to Prometheus; as a program, print the metrics of one bulk read."""

import asyncio

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from aiopresence import (
    ConnectionChanged,
    PresenceEvent,
    PresenceSession,
    RateLimitHit,
    RequestFinished,
    RequestSent,
    Resync,
    RetryScheduled,
    SessionHooks,
    TokenObtained,
    WaitEnded,
)
from aiopresence.sandbox import Sandbox


class PrometheusHooks(SessionHooks):
    """Metrics of all sessions that are given this object. Make one for each registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        labels = ("method", "endpoint")
        self.in_flight = Gauge("ringcentral_requests_in_flight", "Open requests", registry=registry)
        self.requests = Histogram(
            "ringcentral_request_seconds",
            "Duration of requests by status; 'none' without a response",
            (*labels, "status"),
            registry=registry,
        )
        self.waits = Histogram(
            "ringcentral_wait_seconds",
            "Waits before requests",
            ("reason", "group"),
            buckets=(0.1, 1, 5, 15, 30, 60, 120, 300, 600),
            registry=registry,
        )
        self.retries = Counter("ringcentral_retries", "Retries", ("error",), registry=registry)
        self.rate_limited = Counter("ringcentral_429", "429s", ("group",), registry=registry)
        self.tokens = Counter("ringcentral_tokens", "New tokens", ("source",), registry=registry)
        self.connections = Gauge(
            "ringcentral_event_connections", "Open connections for events", registry=registry
        )
        self.events = Counter("ringcentral_events", "Events received", registry=registry)
        self.resyncs = Counter("ringcentral_resyncs", "Gaps", ("reason",), registry=registry)

    def on_request(self, request: RequestSent) -> None:
        self.in_flight.inc()

    def on_response(self, request: RequestFinished) -> None:
        self.in_flight.dec()
        labels = (request.method, request.endpoint, str(request.status or "none"))
        self.requests.labels(*labels).observe(request.seconds)

    def on_wait(self, wait: WaitEnded) -> None:
        self.waits.labels(wait.reason, wait.group or "").observe(wait.seconds)

    def on_retry(self, retry: RetryScheduled) -> None:
        self.retries.labels(type(retry.error).__name__).inc()

    def on_rate_limited(self, hit: RateLimitHit) -> None:
        self.rate_limited.labels(hit.group or "").inc()

    def on_token(self, token: TokenObtained) -> None:
        self.tokens.labels(token.source).inc()

    def on_connection(self, connection: ConnectionChanged) -> None:
        self.connections.inc(1 if connection.is_open else -1)

    def on_event(self, event: PresenceEvent) -> None:
        self.events.inc()

    def on_resync(self, resync: Resync) -> None:
        self.resyncs.labels(resync.reason).inc()


async def main() -> None:
    # In a service: registry = prometheus_client.REGISTRY, and prometheus_client.start_http_server.
    registry = CollectorRegistry()
    hooks = PrometheusHooks(registry)
    async with (
        Sandbox(extensions=100) as sandbox,
        PresenceSession(sandbox.grant, server=sandbox.url, hooks=hooks) as session,
    ):
        await session.read_user_presence_statuses(sandbox.extension_ids)
    print(generate_latest(registry).decode())


if __name__ == "__main__":
    asyncio.run(main())
