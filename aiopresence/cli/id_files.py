"""Read files of extension ids, which may be pipes: id by id, in bounded memory.

Ids are separated by spaces, commas or new lines. A # and what follows on its line is a comment.
"""

import asyncio
import codecs
import re
import threading
from collections.abc import AsyncGenerator, Iterator
from contextlib import suppress
from itertools import chain, islice

from ..ids import is_id
from .files import read_chunks
from .usage import InvalidArgument

_TOKEN = re.compile(r"#[^\r\n]*|[^\s,#]+|\n")
_MAX_ID_LENGTH = 19
# Ids per chunk passed on by the reading thread, and chunks it may read ahead. Guesses.
_CHUNK_SIZE, _MAX_CHUNKS_AHEAD = 30, 64


def file_label(name: str) -> str:
    """Return what a file is called in messages."""
    return "standard input" if name == "-" else name


def ids_in(name: str) -> Iterator[str]:
    """Yield the ids in a file, reading it chunk by chunk; "-" is standard input.

    Raises:
        InvalidArgument: it cannot be read, or has something else than ids.
    """
    line = 1
    try:
        for word in _tokens(read_chunks(name)):
            if word == "\n":
                line += 1
            elif not word.startswith("#"):
                _check(word, name, line)
                yield word
    except OSError as error:
        raise InvalidArgument(f"cannot read {name}: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        line += error.object.count(b"\n", 0, error.start)
        raise InvalidArgument(f"{file_label(name)}, line {line}: not UTF-8 text") from None


def _check(id_: str, name: str, line: int) -> None:
    if not (is_id(id_) or id_ == "~"):
        raise InvalidArgument(
            f"{file_label(name)}, line {line}: invalid extension id {id_[:40]!r}: ids are digits,"
            " or ~ for your own"
        )


def _tokens(chunks: Iterator[bytes]) -> Iterator[str]:
    """Yield words, comments and line breaks. A comment in several chunks is several comments."""
    # Some programs write a byte order mark, which is not part of the first id.
    decoder, rest = codecs.getincrementaldecoder("utf-8-sig")(), ""
    for chunk in chain(chunks, (None,)):
        text = rest + decoder.decode(chunk or b"", final=chunk is None)
        tokens, rest = _TOKEN.findall(text), ""
        if chunk is not None and tokens and tokens[-1] != "\n" and text.endswith(tokens[-1]):
            rest = tokens.pop()  # It may go on in the next chunk.
        yield from tokens
        if rest.startswith("#"):
            rest = "#"
        elif len(rest) > _MAX_ID_LENGTH:
            yield rest


async def read_in_thread(items: Iterator[str]) -> AsyncGenerator[str, None]:
    """Iterate in a thread: reading may block forever, and must not keep Ctrl-C from working.

    It is a daemon thread, which does not delay the end of the process.
    """
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[list[str] | BaseException | None] = asyncio.Queue()
    free_chunks = threading.Semaphore(_MAX_CHUNKS_AHEAD)

    def put(item: list[str] | BaseException | None) -> None:
        with suppress(RuntimeError):  # The loop has ended.
            loop.call_soon_threadsafe(queue.put_nowait, item)

    def read() -> None:
        try:
            while chunk := [*islice(items, _CHUNK_SIZE)]:
                free_chunks.acquire()
                put(chunk)
            put(None)
        except BaseException as error:
            put(error)

    threading.Thread(target=read, daemon=True).start()
    while (item := await queue.get()) is not None:
        if isinstance(item, BaseException):
            raise item
        for each in item:
            yield each
        free_chunks.release()
