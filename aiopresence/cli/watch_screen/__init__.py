"""The screen of the `watch` command: its rows, how it is drawn, and the terminal."""
