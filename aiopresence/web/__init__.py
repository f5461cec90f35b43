"""The dashboard: a web page with everybody's presence, live, and the same as JSON and metrics.

```python
async with PresenceSession.from_env() as session, session.board() as board:
    app.add_subapp("/presence/", presence_app(board, token=token))
```

The page is one static file, which loads nothing from elsewhere. Source of the stream's format: the
HTML standard, "Server-sent events".
"""

from .app import presence_app

__all__ = ["presence_app"]
