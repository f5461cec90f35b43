"""The screen of the `watch` command."""
