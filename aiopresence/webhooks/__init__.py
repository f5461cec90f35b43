"""RingCentral's notifications by webhook: a handler for aiohttp.web, and its subscription.

```python
async def on_event(event: PresenceEvent | Resync) -> None: ...

receiver = WebhookReceiver(on_event)
app.router.add_route("*", "/ringcentral", receiver.handler)
...
async with receiver, receiver.subscribe(session, "https://example.com/ringcentral") as subscription:
    await subscription.wait_closed()
```

What to know before relying on it:

- RingCentral does not sign notifications. A fixed secret comes with each of them, so whoever can
  read one can forge the next: the address has to be https, and is refused when it is not. What
  must not be forged at all should be read again when a notification says that it has changed.
- Notifications are answered before they are handled, since RingCentral waits 3 seconds at most.
  Those that were answered and not yet handled when the process dies are lost. So each reaches the
  callback at most once, and whoever keeps a state should read it anew after a restart, as after
  a `Resync`.

Source: RingCentral guide, "Webhooks".
"""

from .callback_queue import Callback
from .receiver import WebhookReceiver
from .subscription import WebhookSubscription

__all__ = ["Callback", "WebhookReceiver", "WebhookSubscription"]
