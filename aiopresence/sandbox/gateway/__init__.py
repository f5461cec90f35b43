"""The WebSocket gateway: connections, sessions, the faults and options that tests set."""
