"""Our own TOML files: read, checked against their JSON Schema, and every complaint said in one line."""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema

from dcrcheck.house import SCHEMAS


class ConfigurationError(Exception):
    """The configuration is wrong. The message is one line: where, what, and how to mend it."""


def load(path: Path, schema: str) -> dict[str, Any]:
    """Read a TOML file and validate it.

    Raises:
        ConfigurationError: the file is missing, not TOML, or does not keep `schema`.
    """
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise ConfigurationError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: cannot be read: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path}: not valid TOML: {error}") from None
    complaint = jsonschema.exceptions.best_match(validator(schema).iter_errors(content))
    if complaint is not None:
        raise ConfigurationError(f"{path}: {_say(complaint)}")
    return content


@cache
def validator(schema: str) -> jsonschema.Draft202012Validator:
    """A validator for one of the schemas in `schemas/`, by file name without the ending."""
    return jsonschema.Draft202012Validator(
        json.loads((SCHEMAS / f"{schema}.schema.json").read_text("utf-8")),
        format_checker=jsonschema.FormatChecker())


def nearest(word: str, words: Iterable[str]) -> str:
    """The end of a complaint about an unknown word: the word that was probably meant, if any."""
    close = difflib.get_close_matches(word, list(words), n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else ""


def _say(error: jsonschema.ValidationError) -> str:
    where = ".".join(str(part) for part in error.absolute_path) or "top level"
    instance: Any = error.instance
    if error.validator == "additionalProperties" and isinstance(error.schema, dict):
        allowed = error.schema.get("properties", {})
        for key in instance:
            if key not in allowed:
                return f"{where}: unknown key {key!r}{nearest(key, allowed)}"
    return f"{where}: {error.message}"
