"""Findings and clients as JSON and back, so that an interrupted run goes on where it stopped."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cattrs.preconf.json import make_converter

from dcrcheck.client import Client
from dcrcheck.evidence import Exchange, Secret
from dcrcheck.transport import Answer, Headers
from dcrcheck.verdict import Finding

_converter = make_converter()


def written(finding: Finding) -> str:
    """A finding as JSON."""
    return _converter.dumps(finding)


def read(text: str) -> Finding:
    """The finding that `written` wrote."""
    return _converter.loads(text, Finding)


def facts_of(client: Client) -> dict[str, Any]:
    """What it takes to use a client again: what was sent, what was answered, and with what it was answered."""
    answer = client.answer
    return {"document": client.document, "status": answer.status, "headers": list(answer.headers.multi_items()),
            "body": answer.body.decode("latin-1"), "url": answer.url, "elapsed_s": answer.elapsed_s,
            "exchange": _converter.unstructure(answer.exchange)}


def restored(facts: Mapping[str, Any], *, read: Callable[[Client], Answer]) -> Client:
    """The client of these facts; `token` among them is the registration access token as it was last."""
    answer = Answer(status=facts["status"], headers=Headers([tuple(pair) for pair in facts["headers"]]),
                    body=facts["body"].encode("latin-1"), url=facts["url"], elapsed_s=facts["elapsed_s"],
                    exchange=_converter.structure(facts["exchange"], Exchange))
    client = Client(answer.json, document=facts["document"], answer=answer, read=read)
    if facts.get("token"):
        client.registration_access_token = Secret(facts["token"])
    return client
