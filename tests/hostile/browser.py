"""A headless Chromium that opens one page, moves everything in it, and tells what the page did."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
START_S = 30.0
# opens what is folded, and follows every way to more of the page; what only a person would do (a link) stays undone
_OPEN_EVERYTHING = """
for (const part of document.querySelectorAll('details')) part.open = true;
for (const box of document.querySelectorAll('input[type=checkbox]')) if (!box.checked) box.click();
const all = document.querySelector('#show_all_details'); if (all) all.click();
for (const row of document.querySelectorAll('.collapsible')) { row.click(); row.dispatchEvent(new Event('mouseover')); }
for (const each of document.querySelectorAll('*')) { each.dispatchEvent(new Event('focus')); }
window.scrollTo(0, document.body ? document.body.scrollHeight : 0);
"""


@dataclass
class Seen:
    """What a page did. `requests` leave out the page itself and images that it holds."""

    requests: list[str] = field(default_factory=list)
    console: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)
    frames: list[str] = field(default_factory=list)
    title: str = ""
    marked: bool = False
    text: str = ""
    rows: int = 0

    @property
    def acts(self) -> list[str]:
        """Everything that a page which only shows text does not do."""
        return [*(f"asked for {url}" for url in self.requests), *(f"said {line}" for line in self.console),
                *(f"failed with {line}" for line in self.errors), *(f"asked the user {line}" for line in self.dialogs),
                *(f"holds a frame of {url}" for url in self.frames),
                *(["ran a script of the target's"] if self.marked or "pwned" in self.title else [])]


class Chromium:
    """Driven over a pipe by the DevTools protocol: no port is opened."""

    def __init__(self, directory: Path) -> None:
        assert CHROMIUM is not None
        commands, self._write = os.pipe()
        self._read, answers = os.pipe()
        quiet = os.open(os.devnull, os.O_RDWR)
        self._process = os.posix_spawn(CHROMIUM, [
            CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
            f"--user-data-dir={directory}", "--remote-debugging-pipe", "about:blank"], os.environ, file_actions=[
            (os.POSIX_SPAWN_DUP2, quiet, 1), (os.POSIX_SPAWN_DUP2, quiet, 2),
            # the numbers that Chromium expects may be those of our own ends: move these out of the way first
            (os.POSIX_SPAWN_DUP2, commands, 100), (os.POSIX_SPAWN_DUP2, answers, 101),
            (os.POSIX_SPAWN_DUP2, 100, 3), (os.POSIX_SPAWN_DUP2, 101, 4)], setsid=True)
        for end in (commands, answers, quiet):
            os.close(end)
        self._buffer, self._count, self._events = b"", 0, list[dict[str, Any]]()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError, TimeoutError):
            self._call("Browser.close")
        with contextlib.suppress(ProcessLookupError):
            time.sleep(0.2)
            os.killpg(self._process, signal.SIGKILL)
        os.waitpid(self._process, 0)
        os.close(self._write)
        os.close(self._read)

    def open(self, page: Path, *, patience_s: float = 3.0) -> Seen:
        """Open a file, open everything in it, and watch it for a while."""
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self._call(f"{domain}.enable", session)
        self._events.clear()
        self._call("Page.navigate", session, url=page.as_uri())
        self._gather(patience_s)
        self._evaluate(session, _OPEN_EVERYTHING)
        self._gather(patience_s / 2)
        seen = Seen(title=str(self._evaluate(session, "document.title")),
                    marked=self._evaluate(session, "'pwned' in window") is True,
                    text=str(self._evaluate(session, "document.body.textContent")),
                    rows=int(self._evaluate(session, "document.querySelectorAll('.results-table-row').length") or 0))
        self._sort(seen, page)
        self._call("Target.closeTarget", targetId=target)
        return seen

    def _sort(self, seen: Seen, page: Path) -> None:
        for event in self._events:
            given = event.get("params", {})
            match event.get("method"):
                case "Network.requestWillBeSent":
                    url = given["request"]["url"]
                    if url != page.as_uri() and not url.startswith("data:image/"):
                        seen.requests.append(url[:200])
                case "Network.webSocketCreated":
                    seen.requests.append(given["url"])
                case "Page.frameNavigated" if given["frame"]["url"] != page.as_uri():
                    seen.frames.append(given["frame"]["url"][:200])
                case "Runtime.consoleAPICalled":
                    seen.console.append(str([arg.get("value") for arg in given["args"]])[:200])
                case "Runtime.exceptionThrown":
                    seen.errors.append(given["exceptionDetails"]["text"] + str(
                        given["exceptionDetails"].get("exception", {}).get("description", ""))[:300])
                case "Log.entryAdded":
                    seen.errors.append(given["entry"]["text"][:200])
                case "Page.javascriptDialogOpening":
                    seen.dialogs.append(given["message"][:200])
                case _:
                    pass

    def _evaluate(self, session: str, expression: str) -> Any:
        return self._call("Runtime.evaluate", session, expression=expression).get("result", {}).get("value")

    def _call(self, method: str, session: str = "", **params: Any) -> dict[str, Any]:
        self._count += 1
        number = self._count
        os.write(self._write, json.dumps({"id": number, "method": method, "params": params,
                                          **({"sessionId": session} if session else {})}).encode() + b"\0")
        for message in self._messages(START_S):
            if message.get("id") == number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']}")
                return message["result"]
        raise TimeoutError(f"Chromium does not answer {method}")

    def _gather(self, seconds: float) -> None:
        for message in self._messages(seconds):
            # a dialog stops the page until somebody answers it
            if message.get("method") == "Page.javascriptDialogOpening":
                os.write(self._write, json.dumps({
                    "id": 10**6, "method": "Page.handleJavaScriptDialog", "params": {"accept": False},
                    "sessionId": message["sessionId"]}).encode() + b"\0")

    def _messages(self, seconds: float) -> Iterator[dict[str, Any]]:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            while b"\0" in self._buffer:
                text, _, self._buffer = self._buffer.partition(b"\0")
                message = json.loads(text)
                if "method" in message:
                    self._events.append(message)
                yield message
            if select.select([self._read], [], [], left)[0]:
                data = os.read(self._read, 1 << 20)
                if not data:
                    raise OSError("Chromium has gone")
                self._buffer += data
