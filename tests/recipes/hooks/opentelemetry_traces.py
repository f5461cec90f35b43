"""Trace each request with OpenTelemetry; as a program, print the spans of one bulk read."""

import asyncio
import time

from opentelemetry import metrics, trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor
from opentelemetry.trace import SpanKind, StatusCode

from aiopresence import PresenceSession, RequestFinished, RetryScheduled, SessionHooks, WaitEnded
from aiopresence.sandbox import Sandbox


class OpenTelemetryHooks(SessionHooks):
    """A span for each request, below the span that is current, and two histograms."""

    def __init__(
        self,
        tracer_provider: trace.TracerProvider | None = None,
        meter_provider: metrics.MeterProvider | None = None,
    ) -> None:
        self.tracer = trace.get_tracer("aiopresence", tracer_provider=tracer_provider)
        meter = metrics.get_meter("aiopresence", meter_provider=meter_provider)
        self.duration = meter.create_histogram("http.client.request.duration", unit="s")
        self.waits = meter.create_histogram("ringcentral.wait.duration", unit="s")

    def on_response(self, request: RequestFinished) -> None:
        attributes: dict[str, str | int] = {
            "http.request.method": request.method,
            "url.template": request.endpoint,
        }
        if request.status is not None:
            attributes["http.response.status_code"] = request.status
        if request.error is not None:
            attributes["error.type"] = type(request.error).__name__
        self.duration.record(request.seconds, attributes)
        if request.attempt > 1:
            attributes["http.request.resend_count"] = request.attempt - 1
        if request.request_id is not None:
            attributes["ringcentral.request_id"] = request.request_id
        ended = time.time_ns()
        span = self.tracer.start_span(
            f"{request.method} {request.endpoint}",
            kind=SpanKind.CLIENT,
            attributes=attributes,
            start_time=ended - int(request.seconds * 1e9),
        )
        if request.status is None or request.status >= 400:
            span.set_status(StatusCode.ERROR)
        span.end(ended)

    def on_retry(self, retry: RetryScheduled) -> None:
        trace.get_current_span().add_event("retry", {"error": type(retry.error).__name__})

    def on_wait(self, wait: WaitEnded) -> None:
        self.waits.record(wait.seconds, {"reason": wait.reason, "group": wait.group or ""})


async def main() -> None:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter()))
    hooks = OpenTelemetryHooks(provider)
    async with (
        Sandbox(extensions=100) as sandbox,
        PresenceSession(sandbox.grant, server=sandbox.url, hooks=hooks) as session,
    ):
        with hooks.tracer.start_as_current_span("read everybody"):
            await session.read_user_presence_statuses(sandbox.extension_ids)
    provider.shutdown()


if __name__ == "__main__":
    asyncio.run(main())
