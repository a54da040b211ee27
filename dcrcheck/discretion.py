"""What the process prints, logs and leaves on disk while it judges a server: nothing of it holds a secret."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TextIO, cast

from hypothesis.configuration import set_hypothesis_home_dir

from dcrcheck.redaction import Redactor, secrets_of


class Discretion:
    """From `begin` to `end`, standard output, standard error and every log record pass the redactor of the run.

    Hypothesis, which would keep tables and constants of our source in the working directory, keeps nothing.
    """

    def __init__(self) -> None:
        self.redactor = Redactor()
        self.redactor.learn(*secrets_of(os.environ, sys.argv))
        self._stack = ExitStack()

    def begin(self) -> None:
        """Hold back from now on."""
        self._stack.enter_context(self._streams())
        self._stack.enter_context(self._records())
        self._stack.enter_context(_home())

    def end(self) -> None:
        """Leave everything as it was found. May be called twice."""
        self._stack.close()

    @contextmanager
    def _streams(self) -> Iterator[None]:
        for name in ("stdout", "stderr"):
            stream = getattr(sys, name)
            if stream is None:  # as under pythonw
                continue
            discreet = cast("TextIO", Discreet(stream, self.redactor))
            self._stack.callback(_restore, name, discreet, stream)
            setattr(sys, name, discreet)
        yield

    @contextmanager
    def _records(self) -> Iterator[None]:
        before = logging.getLogRecordFactory()
        logging.setLogRecordFactory(discreet_records(before, self.redactor))
        try:
            yield
        finally:
            logging.setLogRecordFactory(before)


class Discreet:
    """A text stream that writes everything without its secrets; all else is the stream's own."""

    def __init__(self, stream: TextIO, redactor: Redactor) -> None:
        self._stream = stream
        self._redactor = redactor

    def write(self, text: str) -> int:
        self._stream.write(self._redactor.scrub(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def discreet_records(make: Callable[..., logging.LogRecord], redactor: Redactor) -> Callable[..., logging.LogRecord]:
    """A log record factory whose records carry their message ready and redacted, so that no handler sees more."""
    format_exception = logging.Formatter().formatException

    def factory(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = make(*args, **kwargs)
        record.msg, record.args = redactor.scrub(record.getMessage()), None
        if record.exc_info and record.exc_info[0] is not None:
            record.exc_text = redactor.scrub(format_exception(record.exc_info))
        return record

    return factory


def _restore(name: str, ours: TextIO, stream: TextIO) -> None:
    if getattr(sys, name) is ours:
        setattr(sys, name, stream)


@contextmanager
def _home() -> Iterator[None]:
    # beneath a file no directory can be made, and Hypothesis does without
    set_hypothesis_home_dir(Path(__file__))
    try:
        yield
    finally:
        set_hypothesis_home_dir(None)
