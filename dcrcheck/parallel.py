"""The same request several times at the same moment: whether a server uses a thing once, or merely once in turn."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from dcrcheck.transport import Answer

AT_ONCE = 5


def at_once(send: Callable[[], Answer], *, times: int = AT_ONCE) -> list[Answer]:
    """The answers to what `send` sends, sent by so many threads that started together; in no order."""
    start = Barrier(times)

    def one(_: int) -> Answer:
        start.wait()
        return send()

    with ThreadPoolExecutor(times) as threads:
        return list(threads.map(one, range(times)))
