"""What is wrong with the input is said in one line, with the right exit code and within a bounded time."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme

from dcrcheck.house import ROOT


def judge(*options: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """`dcrcheck run` in a process of its own."""
    return subprocess.run([sys.executable, "-m", "dcrcheck", "run", *options], cwd=cwd, capture_output=True, text=True,
                          timeout=120, check=False, env={**os.environ, "PYTHONPATH": str(ROOT), **environment})


def complaint(run: subprocess.CompletedProcess[str]) -> str:
    """The one line that a run in error prints; fails if there is a traceback or more than that line."""
    lines = [line for line in (run.stdout + run.stderr).splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR: ")]
    assert "Traceback" not in run.stdout + run.stderr
    assert len(errors) == 1, lines
    return errors[0]


@contextlib.contextmanager
def serving(answer: Callable[[socket.socket, str], None], *, context: ssl.SSLContext | None = None) -> Iterator[str]:
    """A raw server on loopback: `answer` gets the connection and the request's head."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.2)
    stop = threading.Event()

    def talk(connection: socket.socket) -> None:
        with contextlib.suppress(OSError, ssl.SSLError), connection:
            peer = context.wrap_socket(connection, server_side=True) if context else connection
            with peer:
                answer(peer, peer.recv(65536).decode("latin-1"))

    def accept() -> None:
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                connection, _ = listener.accept()
                threading.Thread(target=talk, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield f"http{'s' if context else ''}://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        stop.set()
        thread.join()
        listener.close()


def reply(status: str = "200 OK", body: bytes = b"", **headers: str) -> Callable[[socket.socket, str], None]:
    head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())

    def answer(peer: socket.socket, request: str) -> None:
        peer.sendall(f"HTTP/1.1 {status}\r\n{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
                     + body)

    return answer


def drip(peer: socket.socket, request: str) -> None:
    peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{")
    for _ in range(600):
        peer.sendall(b" ")
        time.sleep(0.1)


def flood(peer: socket.socket, request: str) -> None:
    peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{")
    while True:
        peer.sendall(b" " * 65536)


@pytest.mark.parametrize(("answer", "said"), [
    (reply(body=b"<html>hello</html>", Content_Type="text/html"), "answers with text/html, not with JSON metadata"),
    (reply("302 Found", Location="https://elsewhere.example/"), "redirects to 'https://elsewhere.example/'"),
    (reply("404 Not Found"), "publishes no metadata"),
    (flood, "the body exceeds"),
    (drip, "the body was not complete after"),
    (lambda peer, request: peer.close(), "cannot be reached"),
], ids=["html", "redirect", "nothing", "endless body", "dripping body", "closed connection"])
def test_a_server_without_metadata(answer, said: str, tmp_path: Path):
    with serving(answer) as issuer:
        run = judge("--issuer", issuer, cwd=tmp_path)

    assert run.returncode == 4
    assert said in complaint(run)


def test_a_refused_connection(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    run = judge("--issuer", f"http://127.0.0.1:{port}", cwd=tmp_path)

    assert run.returncode == 4
    assert "cannot be reached" in complaint(run)


def test_a_certificate_that_nobody_vouches_for(tmp_path: Path):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with serving(reply(body=b"{}"), context=context) as issuer:
        run = judge("--issuer", issuer, cwd=tmp_path)

    assert run.returncode == 4
    assert "certificate" in complaint(run)


def test_metadata_without_a_registration_endpoint(tmp_path: Path):
    with serving(lambda peer, request: metadata(peer, request, registration=False)) as issuer:
        run = judge("--issuer", issuer, cwd=tmp_path)

    assert run.returncode == 4
    assert "names no registration_endpoint" in complaint(run)


def metadata(peer: socket.socket, request: str, *, registration: bool = True) -> None:
    host = request.partition("Host: ")[2].partition("\r\n")[0] or request.partition("host: ")[2].partition("\r\n")[0]
    issuer = f"http://{host}"
    body = {"issuer": issuer, "authorization_endpoint": f"{issuer}/a", "token_endpoint": f"{issuer}/t",
            "response_types_supported": ["code"],
            **({"registration_endpoint": f"{issuer}/r"} if registration else {})}
    reply(body=json.dumps(body).encode(), Content_Type="application/json")(peer, request)


@pytest.mark.parametrize(("options", "said"), [
    (["--issuer", "idp.example.com"], "is not an http(s) URL"),
    (["--issuer", "http://idp.example.com"], "plain http beyond loopback"),
    (["--issuer", "https://idp.example.com/?a=b"], "has a query or fragment"),
    (["--issuer", "https://who:word@idp.example.com"], "holds a user name or password"),
    (["--profile", "keycloack-anonymous-x"], "no profile 'keycloack-anonymous-x'"),
    (["--profile", "oidc-provider"], "describes a live server: give its --issuer"),
    (["--profile", "missing.toml"], "missing.toml: no such file"),
    (["--defect", "NoSuchDefect"], "no defect 'NoSuchDefect'"),
    (["--allow", "brust"], "--allow brust"),
    (["--report-dir", "none", "--issuer", "http://127.0.0.1:1"], "leaves no ledger behind"),
], ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_a_wrong_option(options: list[str], said: str, tmp_path: Path):
    run = judge(*options, cwd=tmp_path)

    assert run.returncode == 4
    assert said in complaint(run)


def test_a_report_directory_that_is_a_file(tmp_path: Path):
    (tmp_path / "taken").write_text("")

    run = judge("--report-dir", "taken", cwd=tmp_path)

    assert run.returncode == 4
    assert "cannot be written" in complaint(run)


def test_a_known_deviation_of_a_check_that_does_not_exist(tmp_path: Path):
    (tmp_path / "mine.toml").write_text(
        'title = "Mine"\npolicy = "rfc7591"\n[[known]]\ncheck = "test_no_such_check"\n'
        'requirement = "RFC7591-3.2-01"\nreason = "r"\n')
    with serving(metadata) as issuer:
        run = judge("--issuer", issuer, "--profile", "mine.toml", cwd=tmp_path)

    assert run.returncode == 4
    assert "there is no check 'test_no_such_check'" in complaint(run)


def test_a_server_that_refuses_every_registration_is_incomplete_not_clean(tmp_path: Path):
    def answer(peer: socket.socket, request: str) -> None:
        if request.startswith("POST"):
            reply("401 Unauthorized", b'{"error":"invalid_token"}', Content_Type="application/json",
                  WWW_Authenticate='Bearer error="invalid_token"')(peer, request)
        else:
            metadata(peer, request)

    with serving(answer) as issuer:
        run = judge("--issuer", issuer, "-k", "registration", cwd=tmp_path)

    document = json.loads((tmp_path / "reports" / "latest" / "results.json").read_text())
    assert run.returncode in (1, 6)
    assert document["counts"]["INCONCLUSIVE"] > 20
    assert document["clients"]["created"] == 0


@pytest.mark.parametrize("suffix", ["", "/"], ids=["plain", "trailing slash"])
def test_an_issuer_with_a_path(suffix: str, tmp_path: Path):
    program = ("import sys, time\nfrom dcrcheck.reference import Server, serve\n"
               "with serve(Server(), tls=False, path='/tenant') as running:\n"
               "    print(running.issuer, flush=True)\n    sys.stdin.read()\n")
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                          env={**os.environ, "PYTHONPATH": str(ROOT)}) as server:
        issuer = server.stdout.readline().strip()
        run = judge("--issuer", issuer + suffix, "-k", "test_location", cwd=tmp_path)
        server.stdin.close()

    assert issuer.endswith("/tenant")
    assert run.returncode == 0, run.stdout
