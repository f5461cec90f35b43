"""What holds for every error, whatever the input was."""

from aiopresence import ApiError, DecodeError, PresenceError
from aiopresence.escaping import escaped
from tests.fuzz.documents import SECRET

# A message, the longest advice, and the id of the request.
LONGEST_MESSAGE = 1200


def check_error(error: BaseException) -> None:
    """Check that an error is one of ours, short, on one line, and without the session's secret."""
    assert isinstance(error, PresenceError), repr(error)
    message = str(error)
    assert len(message) <= LONGEST_MESSAGE
    assert escaped(message) == message
    attributes = {**vars(error), "args": error.args, "cause": error.__cause__}
    assert SECRET not in message
    assert SECRET not in repr(attributes)
    if isinstance(error, ApiError):
        assert len(error.body) <= 256
        assert error.retry_after is None or 0 <= error.retry_after < float("inf")
    if isinstance(error, DecodeError):
        assert error.path.startswith("$") or error.path == "Location"
