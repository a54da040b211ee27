"""What a self-registered client may call itself, since users will read it on the consent page."""

import unicodedata
from typing import Any

import pytest

from dcrcheck import Endpoint, inapplicable, requirement

HIDDEN = {
    "newline": "\n", "tab": "\t", "bell": "\u0007", "escape": "\u001b", "right-to-left-override": "\u202e",
    "left-to-right-isolate": "\u2066", "right-to-left-isolate": "\u2067", "right-to-left-mark": "\u200f",
    "zero-width-space": "\u200b", "zero-width-joiner": "\u200d", "soft-hyphen": "\u00ad", "line-separator": "\u2028",
    "byte-order-mark": "\ufeff", "tag-letter": "\U000e0041",
}
SPELLINGS = {
    "as-it-is": str, "upper-case": str.upper, "padded": lambda name: f"  {name} ",
    "full-width": lambda name: "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in name),
}

# letters of other scripts that a reader takes for Latin ones (Unicode Technical Standard 39)
LOOK_ALIKES = {
    "cyrillic": str.maketrans("acehiopsxyACEHIKMOPSTX", "асеһіорѕхуАСЕНІКМОРЅТХ"),
    "greek": str.maketrans("oAEHIKMNOPTXZ", "οΑΕΗΙΚΜΝΟΡΤΧΖ"),
}


def rules(endpoint: Endpoint) -> dict[str, Any]:
    return dict(endpoint.policy.parameters.get("name", {}))


@requirement("STRUCT-NAME-LENGTH")
@pytest.mark.parametrize("excess", [1, 1000], ids=["one-too-many", "a-thousand-too-many"])
def test_a_name_is_limited_in_length(endpoint: Endpoint, excess: int):
    """A client_name that is longer than the policy allows is refused, cut or replaced."""
    limit = rules(endpoint).get("max_length")
    if limit is None:
        inapplicable(f"policy {endpoint.policy.name} sets no limit to names")
    name = endpoint.unique().ljust(limit + excess, "x")
    stored = endpoint.submit(client_name=name).stored("client_name")

    assert len(stored or "") <= limit, f"a name of {len(stored)} characters was registered; the policy allows {limit}"


@requirement("STRUCT-NAME-CHARACTERS")
@pytest.mark.parametrize("character", HIDDEN.values(), ids=HIDDEN)
def test_a_name_hides_nothing(endpoint: Endpoint, character: str):
    """A client_name with a control, bidirectional or invisible character is refused, or registered without it."""
    stored = endpoint.submit(client_name=f"{endpoint.unique()}{character}elpmaxe").stored("client_name")

    assert character not in (stored or ""), f"the name {stored!r} was registered"


@requirement("STRUCT-NAME-RESERVED")
@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
def test_a_reserved_name_is_not_registered(endpoint: Endpoint, spelling: Any):
    """A reserved client_name is refused or replaced, in other case and compatibility spellings too."""
    reserved = rules(endpoint).get("reserved", [])
    if not reserved:
        inapplicable(f"policy {endpoint.policy.name} reserves no names")
    stored = endpoint.submit(client_name=spelling(reserved[0])).stored("client_name")
    read = " ".join(unicodedata.normalize("NFKC", stored or "").casefold().split())

    assert read != reserved[0].casefold(), f"the name {stored!r} was registered"


@requirement("HARD-NAME-LOOK-ALIKE")
@pytest.mark.parametrize("script", LOOK_ALIKES)
def test_a_look_alike_of_a_reserved_name_is_not_registered(endpoint: Endpoint, script: str):
    """A reserved client_name in which letters of another script stand for Latin ones is refused or replaced."""
    reserved = rules(endpoint).get("reserved", [])
    if not reserved:
        inapplicable(f"policy {endpoint.policy.name} reserves no names")
    name = reserved[0].translate(LOOK_ALIKES[script])
    stored = endpoint.submit(client_name=name).stored("client_name")

    assert stored != name, f"the name {stored!r} was registered"
