"""RingCentral's notifications by webhook: a receiver for any framework, and the subscription.

```python
async def on_event(event: PresenceEvent | Resync) -> None: ...

receiver = WebhookReceiver(on_event)
app.router.add_route("*", "/ringcentral", receiver.handler)  # aiohttp.web
app = FastAPI(routes=[Route("/ringcentral", receiver.asgi)])  # or Starlette
response = await receiver.handle(method, headers, body)  # anything else
...
async with receiver, receiver.subscribe(session, "https://example.com/ringcentral") as subscription:
    await subscription.wait_closed()
```

Limits of webhooks:

- RingCentral does not sign notifications. Each carries the same fixed token, so whoever can read
  one can forge the next: the address must be https. Where a forged notification would do harm,
  read the presence again before acting on it.
- A notification is acknowledged before it is handled, because RingCentral waits 3 seconds at most.
  If the process dies in between, the notification is lost: each one reaches the callback at most
  once. Read the presence after a start, as after a `Resync`.

Source: RingCentral guide, "Webhooks".
"""

from .callback_queue import Callback
from .http import WebhookResponse
from .receiver import WebhookReceiver
from .subscription import WebhookSubscription

__all__ = ["Callback", "WebhookReceiver", "WebhookResponse", "WebhookSubscription"]
