"""The recipes for Prometheus and OpenTelemetry, with the real libraries."""

import asyncio
from typing import Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from prometheus_client import CollectorRegistry

from aiopresence import SessionHooks
from aiopresence.sandbox import Answer, Reset
from tests.recipes.hooks.opentelemetry_traces import OpenTelemetryHooks
from tests.recipes.hooks.prometheus_metrics import PrometheusHooks
from tests.support.sessions import PLENTY
from tests.support.virtual import virtual, virtual_sandbox, virtual_session

ENDPOINT = "/restapi/v1.0/account/*/extension/*/presence"


async def work(hooks: SessionHooks) -> None:
    """Read with a failure, a 429 and a wait; then follow events over two connections."""
    async with (
        virtual_sandbox(40, limits={**PLENTY, "Light": 1000}) as sandbox,
        virtual_session(sandbox, hooks=hooks) as session,
    ):
        sandbox.faults.add(Answer(503), path="/presence", times=1)
        await session.read_user_presence_status()
        sandbox.faults.add(Reset(after_handling=True), path="/presence", times=1)
        await session.read_user_presence_status()
        limited = Answer(429, headers={"Retry-After": "5", "X-Rate-Limit-Group": "light"})
        sandbox.faults.add(limited, path="/presence", times=1)
        await session.read_user_presence_statuses(sandbox.extension_ids[:30])
        async with session.board() as board:
            await board.wait_ready()
            sandbox.set_presence(sandbox.user_ids[1], user_status="Busy")
            await asyncio.sleep(5.0)
            sandbox.gateway.fail_recovery(None)
            sandbox.gateway.cut()
            await asyncio.sleep(30.0)


@virtual
async def test_prometheus_counts_what_a_session_does() -> None:
    registry = CollectorRegistry()
    await work(PrometheusHooks(registry))

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(f"ringcentral_{name}", labels)

    def requests(status: str) -> float | None:
        labels = {"method": "GET", "endpoint": ENDPOINT, "status": status}
        return value("request_seconds_count", **labels)

    assert [requests(status) for status in ("503", "429", "none")] == [1.0, 1.0, 1.0]
    assert (requests("200"), requests("207")) == (2.0, 1.0)
    assert value("requests_in_flight") == 0.0
    assert value("retries_total", error="ServerError") == 1.0
    assert value("429_total", group="Light") == 1.0
    assert value("wait_seconds_count", reason="penalty", group="Light") == 1.0
    assert value("tokens_total", source="login") == 1.0
    assert value("event_connections") == 0.0
    assert value("events_total") == 1.0
    assert value("resyncs_total", reason="ConnectionLost") == 1.0


@virtual
async def test_opentelemetry_gets_a_span_for_each_request_below_the_current_one() -> None:
    exporter, reader = InMemorySpanExporter(), InMemoryMetricReader()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    meters = MeterProvider([reader])
    hooks = OpenTelemetryHooks(provider, meters)
    with hooks.tracer.start_as_current_span("work"):
        await work(hooks)
    spans = exporter.get_finished_spans()
    parent = next(span for span in spans if span.name == "work")
    reads = [span for span in spans if span.name == f"GET {ENDPOINT}"]
    assert all(span.parent and span.parent.span_id == parent.context.span_id for span in reads)
    found: list[tuple[Any, ...]] = [
        (
            (span.attributes or {}).get("http.response.status_code"),
            (span.attributes or {}).get("http.request.resend_count"),
            (span.attributes or {}).get("error.type"),
            span.status.status_code is StatusCode.ERROR,
        )
        for span in reads
    ]
    assert found == [
        (503, None, None, True),
        (200, 1, None, False),
        # Sent again at once on another connection, as the kept-alive one was closed: no retry.
        (None, None, "ConnectionFailed", True),
        (200, None, None, False),
        (429, None, None, True),
        (207, 1, None, False),
    ]
    retries = [event for event in parent.events if event.name == "retry"]
    assert len(retries) >= 1
    data = reader.get_metrics_data()
    assert data is not None
    names = {
        metric.name
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }
    assert names == {"http.client.request.duration", "ringcentral.wait.duration"}
    provider.shutdown()
    meters.shutdown()
