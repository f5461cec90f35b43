"""What several tests share: servers, clocks, sessions, terminals."""
