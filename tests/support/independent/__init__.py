"""A second RingCentral, for tests: it shares no code with the package or its sandbox.

It was written from the vendor's description of the service alone, so that a misreading which
client and sandbox share shows as a failure here. It uses raw sockets: HTTP/1.1, WebSockets and
multipart bodies are written by hand. What the description leaves open is drawn from a seed.
"""

from tests.support.independent.batches import BatchStyle
from tests.support.independent.dispatch import Arrival
from tests.support.independent.server import IndependentServer

__all__ = ["Arrival", "BatchStyle", "IndependentServer"]
