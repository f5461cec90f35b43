"""The WebSocket gateway: connections, sessions, their faults and options."""
