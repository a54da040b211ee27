"""Reading what clients send: JSON documents and forms, within limits."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any, NoReturn
from urllib.parse import parse_qsl

from starlette.requests import Request

from dcrcheck.reference.answers import Answers, Refusal

_PARAMETER = re.compile(r';\s*([!#$%&\'*+.^_`|~0-9A-Za-z-]+)=("[^"]*"|[^;\s"]*)')


class Documents(Answers):
    """RFC 8259 read strictly: what two parsers could read differently is not read at all."""

    # -- JSON

    async def read_document(self, request: Request) -> dict[str, Any]:
        """The body as one JSON object.

        Raises:
            Refusal: 415 for another media type, 413 for too much, 400 for anything that is not one JSON object.
        """
        self.check_media_type(request)
        self.check_content_coding(request)
        text = self.decode(await self.read_body(request))
        self.check_nesting(text)
        document = self.parse(text)
        self.check_object(document)
        self.check_member_count(document)
        self.check_surrogates(document)
        return dict(document)

    def check_media_type(self, request: Request) -> None:
        """RFC 7591, section 3.1: application/json; a body that a foreign web page could send is not read."""
        values = request.headers.getlist("content-type")
        essence = values[0].split(";")[0].strip().lower() if len(values) == 1 else ""
        if essence != "application/json":
            raise Refusal(415, "invalid_client_metadata", "the request body must be application/json")
        self.check_charset(values[0])

    def check_charset(self, content_type: str) -> None:
        """JSON is UTF-8 (RFC 8259, section 8.1), whatever else a parameter claims."""
        for name, value in _PARAMETER.findall(content_type):
            if name.lower() == "charset" and value.strip('"').lower() not in ("utf-8", "utf8"):
                raise Refusal(415, "invalid_client_metadata", "the request body must be UTF-8")

    def check_content_coding(self, request: Request) -> None:
        if request.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
            raise Refusal(415, "invalid_client_metadata", "the request body must not be compressed")

    async def read_body(self, request: Request) -> bytes:
        """Read no more than the limit, whatever length was announced."""
        announced = request.headers.get("content-length", "0")
        if announced.isascii() and announced.isdigit() and int(announced[:18]) > self.rules.body_size:
            self.refuse_size()
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > self.rules.body_size:
                self.refuse_size()
        return bytes(body)

    def refuse_size(self) -> NoReturn:
        raise Refusal(413, "invalid_client_metadata", "the request body is too large")

    def decode(self, body: bytes) -> str:
        """UTF-8 without a byte order mark."""
        if body.startswith(b"\xef\xbb\xbf"):
            self.refuse_document("the request body starts with a byte order mark")
        try:
            return body.decode("utf-8")
        except UnicodeDecodeError:
            self.refuse_document("the request body is not UTF-8")

    def check_nesting(self, text: str) -> None:
        """Counted before parsing, so that no parser meets the depth."""
        if text.count("[") + text.count("{") <= self.rules.nesting:
            return
        depth = 0
        for bracket in re.findall(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', text):
            if bracket in "[{":
                depth += 1
            elif bracket in "]}":
                depth -= 1
            if depth > self.rules.nesting:
                self.refuse_document("the request body is nested too deeply")

    def parse(self, text: str) -> Any:
        try:
            return json.loads(text, object_pairs_hook=self.members, parse_constant=self.constant,
                              parse_float=self.number)
        except ValueError:
            self.refuse_document("the request body is not JSON")

    def members(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        """A name that occurs twice means two things to two parsers (RFC 8259, section 4)."""
        found = dict(pairs)
        if len(found) < len(pairs):
            self.refuse_document("a member occurs more than once")
        return found

    def constant(self, name: str) -> Any:
        """NaN and Infinity are not JSON (RFC 8259, section 6)."""
        self.refuse_document("the request body holds a number that JSON does not have")

    def number(self, text: str) -> float:
        value = float(text)
        if not math.isfinite(value):
            self.refuse_document("the request body holds a number that is out of range")
        return value

    def check_object(self, document: Any) -> None:
        if not isinstance(document, dict):
            self.refuse_document("the request body is not a JSON object")

    def check_member_count(self, document: dict[str, Any]) -> None:
        if len(document) > self.rules.members:
            self.refuse_document("the request body has too many members")

    def check_surrogates(self, document: Any) -> None:
        """Half a surrogate pair is no character (RFC 8259, section 8.2)."""
        for text in _strings(document):
            if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
                self.refuse_document("the request body holds half a surrogate pair")

    def refuse_document(self, description: str) -> NoReturn:
        raise Refusal(400, "invalid_client_metadata", description)

    # -- forms and queries

    async def read_form(self, request: Request) -> dict[str, list[str]]:
        """The parameters of an application/x-www-form-urlencoded body."""
        values = request.headers.getlist("content-type")
        if len(values) != 1 or values[0].split(";")[0].strip().lower() != "application/x-www-form-urlencoded":
            raise Refusal(400, "invalid_request", "the request body must be application/x-www-form-urlencoded")
        return self.parameters(await self.read_body(request))

    def parameters(self, encoded: bytes) -> dict[str, list[str]]:
        """Form-encoded parameters by name; empty ones count as omitted (OAuth 2.1, section 3.1).

        Raises:
            Refusal: what came is not UTF-8 or not ASCII on the wire, or a parameter is repeated.
        """
        found: dict[str, list[str]] = {}
        try:
            pairs = parse_qsl(encoded.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=100)
        except ValueError as error:
            raise Refusal(400, "invalid_request", "the parameters cannot be read") from error
        for name, value in pairs:
            found.setdefault(name, []).append(value)
        self.check_repetition(found)
        kept = {name: [value for value in values if value] for name, values in found.items()}
        return {name: values for name, values in kept.items() if values}

    def check_repetition(self, parameters: dict[str, list[str]]) -> None:
        """Only resource may be repeated (OAuth 2.1, section 3.1; RFC 8707, section 2)."""
        if any(len(values) > 1 for name, values in parameters.items() if name != "resource"):
            raise Refusal(400, "invalid_request", "a parameter occurs more than once")


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)
    elif isinstance(value, dict):
        for name, item in value.items():
            yield name
            yield from _strings(item)
