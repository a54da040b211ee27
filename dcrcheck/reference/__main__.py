"""`python -m dcrcheck.reference`: serve the reference server by hand, on loopback."""

from __future__ import annotations

import argparse
import importlib
import signal
import sys
import threading
from dataclasses import replace
from pathlib import Path

from dcrcheck.reference import POLICIES, Running, Server, serve


def main(arguments: list[str] | None = None) -> int:
    """Serve until interrupted. Exit code 0, or 1 after one line that says what is wrong."""
    parser = argparse.ArgumentParser(prog="python -m dcrcheck.reference", description=__doc__)
    parser.add_argument("--policy", choices=sorted(POLICIES), help="the rules to serve under (default: rfc7591)")
    parser.add_argument("--port", type=int, default=0, help="the port (default: a free one)")
    parser.add_argument("--path", default="", help="a path for the issuer, such as /tenant")
    parser.add_argument("--limit", metavar="COUNT/SECONDS", type=_limit, help="how many registrations each source may "
                        "send in how many seconds, such as 5/3600")
    parser.add_argument("--tls", action="store_true", help="serve https, with a certificate of a fresh authority")
    parser.add_argument("--ca-file", help="with --tls: where to write the authority's certificate (PEM)")
    parser.add_argument("--defect", metavar="MODULE:CLASS",
                        help="a subclass of Server, such as suites.credentials.defects:ForgetsSecretExpiry")
    options = parser.parse_args(arguments)
    try:
        kind = _defect(options.defect) if options.defect else Server
        rules = POLICIES[options.policy or kind.policy]
        if options.limit:
            rules = replace(rules, registrations=options.limit[0], registration_window=options.limit[1])
        server = kind(rules)
        running = serve(server, port=options.port, tls=options.tls, path=options.path)
    except (OSError, OverflowError, ValueError) as error:
        print(f"dcrcheck.reference: {error}", file=sys.stderr)
        return 1
    with running:
        ended = _interruption()
        try:
            if options.ca_file and running.ca_pem:
                Path(options.ca_file).write_text(running.ca_pem, encoding="ascii")
        except OSError as error:
            print(f"dcrcheck.reference: {error}", file=sys.stderr)
            return 1
        print(_introduction(running, options.ca_file or ""), flush=True)
        ended.wait()
    return 0


def _limit(text: str) -> tuple[int, int]:
    """A limit as the command line gives it.

    Raises:
        ValueError: it is not two whole numbers with a slash between.
    """
    count, seconds = map(int, text.split("/"))
    return count, seconds


def _defect(name: str) -> type[Server]:
    """The class that `module:Class` names.

    Raises:
        ValueError: there is none, or it is not a subclass of Server.
    """
    module, _, attribute = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"no defect {name!r}: {error}") from error
    if not (isinstance(found, type) and issubclass(found, Server)):
        raise ValueError(f"{name!r} is not a subclass of Server")
    return found


def _introduction(running: Running, ca_file: str) -> str:
    secured = f" --cacert {ca_file or 'CA.pem'}" if running.ca_pem else ""
    bearer = (f" -H 'Authorization: Bearer {running.initial_access_token}'"
              if running.server.rules.initial_access_token_required else "")
    by_hand = (f"curl{secured} {running.issuer}/register{bearer} -H 'Content-Type: application/json' "
               """-d '{"client_name": "By hand", "redirect_uris": ["http://127.0.0.1/cb"]}'""")
    return "\n".join([
        f"issuer                {running.issuer}",
        f"protected resource    {running.resource}",
        f"user                  {running.username}",
        f"password              {running.password}",
        f"initial access token  {running.initial_access_token}",
        "",
        "registration is closed" if running.server.rules.registration_closed else by_hand,
        "", "Ctrl-C ends it.",
    ])


def _interruption() -> threading.Event:
    """Set by Ctrl-C or a termination signal."""
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    return ended


if __name__ == "__main__":
    sys.exit(main())
