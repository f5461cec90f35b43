"""Ports for servers that have to be told their port, or keep it over a restart."""

import secrets
import socket
from contextlib import suppress

HOST = "127.0.0.1"
# Below the ports that systems give to connections and to servers without a port of their own: one
# of those would be taken by another test or program at any time. The bus of a node of a Redis
# Cluster has a port 10,000 higher, which is below them, too.
_FIRST, _END, _BUS = 10_000, 22_000, 10_000


def free_port() -> int:
    """Return a port at random that is free, and so is the one of a cluster's bus."""
    while True:
        port = _FIRST + secrets.randbelow(_END - _FIRST)
        with suppress(OSError), socket.socket() as server, socket.socket() as bus:
            server.bind((HOST, port))
            bus.bind((HOST, port + _BUS))
            return port
