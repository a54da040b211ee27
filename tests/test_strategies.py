"""What the fuzzed checks generate: never a URL that leads to a real host or an internal address."""

import inspect
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import SearchStrategy

from dcrcheck import Fuzzing, fuzzed, requirement, strategies
from dcrcheck.strategies import (
    authorities,
    broken_bodies,
    hostile,
    hostile_texts,
    is_harmless,
    is_unsafe_redirect_uri,
    members,
    metadata,
    redirect_uris,
    st,
    unsafe_redirect_uris,
    well_formed,
)

DRAWN = {
    "well_formed": well_formed(), "hostile": hostile(), "metadata": metadata(), "hostile_texts": hostile_texts(),
    "redirect_uris": redirect_uris(), "unsafe_redirect_uris": unsafe_redirect_uris(),
    "broken_bodies": broken_bodies().map(lambda body: body.decode("latin-1")),
}


@pytest.fixture(autouse=True)
def as_in_a_run():
    """The settings that the plugin gives to the checks."""
    settings.register_profile("as in a run", derandomize=True, database=None, deadline=None, report_multiple_bugs=False,
                              suppress_health_check=list(HealthCheck))
    settings.load_profile("as in a run")
    yield
    settings.load_profile("default")


@pytest.mark.parametrize("name", DRAWN)
def test_no_generated_url_leads_to_a_real_host_or_an_internal_address(name: str):
    @settings(max_examples=400)
    @given(DRAWN[name])
    def drawn(value: object) -> None:
        assert is_harmless(value)

    drawn()


@pytest.mark.parametrize("text", [
    "https://client.example/cb", "http://CLIENT.EXAMPLE:8443", "https://a.b.test?x", "//www.example.com\\x",
    "https://client.example@foreign.example/", "javascript:alert(1)", "com.example.app:/cb", "no url"])
def test_reserved_names_are_harmless(text: str):
    assert is_harmless({"redirect_uris": [text], text: 1})


@pytest.mark.parametrize("text", [
    "https://127.0.0.1/", "http://localhost", "https://[::1]/", "https://10.0.0.1", "https://example.co",
    "https://client.example.de/", "https://client.example@internal/", "//internal", "https:\\\\internal", "http://",
    "https://2130706433/", "before https://metadata.internal/ after"])
def test_everything_else_is_not(text: str):
    assert not is_harmless({"logo_uri": {"deep": [text]}})
    assert not is_harmless({text: 1})


def test_a_host_is_found_wherever_a_parser_might_look():
    assert list(authorities("https://a@b:443\\@c/x")) == ["a", "b"]


@pytest.mark.parametrize("uri", ["javascript:x", " JaVaScRiPt:x", "java\nscript:x", "\x01data:,x", "http://client.example/",
                                 "http://localhost.client.example/", "http:client.example", "file:///x"])
def test_unsafe_redirect_uris_are_known(uri: str):
    assert is_unsafe_redirect_uri(uri)


@pytest.mark.parametrize("uri", ["https://client.example/", "http://127.0.0.1:1/", "http://localhost/", "http://[::1]:8/cb",
                                 "com.example.app:/cb", "https://client.example/?u=javascript:x"])
def test_safe_redirect_uris_are_known(uri: str):
    assert not is_unsafe_redirect_uri(uri)


def test_every_unsafe_redirect_uri_is_unsafe():
    @settings(max_examples=400)
    @given(unsafe_redirect_uris())
    def drawn(uri: str) -> None:
        assert is_unsafe_redirect_uri(uri)

    drawn()


def test_well_formed_members_fit_the_schema():
    import jsonschema

    schema = json.loads((strategies.SCHEMAS / "client_metadata.schema.json").read_text("utf-8"))
    validator = jsonschema.Draft202012Validator(
        {name: part for name, part in schema.items() if name != "not"})

    @settings(max_examples=200)
    @given(well_formed())
    def drawn(document: dict) -> None:
        validator.validate(document)

    drawn()


@pytest.mark.parametrize("name", members())
def test_every_member_of_the_schema_is_generated(name: str):
    assert isinstance(members()[name], SearchStrategy)


# -- the decorator ----------------------------------------------------------------------------------------------------


@requirement("HARD-UNICODE")
@fuzzed(number=st.integers(), examples=[7])
def check_with_the_citation_outside(endpoint, number):
    """A claim."""


@fuzzed(number=st.integers())
@requirement("HARD-UNICODE")
def check_with_the_citation_inside(endpoint, number):
    """A claim."""


@pytest.mark.parametrize("check", [check_with_the_citation_outside, check_with_the_citation_inside])
def test_a_fuzzed_check_is_what_pytest_collects(check):
    assert check.dcr_requirements == ("HARD-UNICODE",)
    assert list(inspect.signature(check).parameters) == ["endpoint"]
    assert check.__doc__ == "A claim."


class NoEndpoint:
    """Stands for an endpoint whose recorder is asked to forget."""

    def __init__(self):
        self.recorder = self
        self.forgotten = 0

    def forget(self):
        self.forgotten += 1

    def evidence(self):
        return ()


def test_the_message_of_a_fuzzed_check_ends_with_the_smallest_example():
    @fuzzed(number=st.integers())
    def check(endpoint, number):
        assert number < 1000, f"{number} is too much"

    endpoint = NoEndpoint()
    with pytest.raises(AssertionError) as caught:
        check(endpoint)

    assert str(caught.value).splitlines()[0] == "1000 is too much"
    assert str(caught.value).splitlines()[-1] == "the smallest number that shows it: 1000"
    assert endpoint.forgotten > 1


def test_examples_that_cannot_be_judged_are_passed_over():
    from dcrcheck import inconclusive

    seen = []

    @fuzzed(number=st.integers(0, 100))
    def check(endpoint, number):
        if number % 2:
            inconclusive("odd")
        seen.append(number)

    check(NoEndpoint())

    assert seen and not any(number % 2 for number in seen)


def test_a_check_that_judged_nothing_is_inconclusive():
    from dcrcheck import inconclusive
    from dcrcheck.verdict import Inconclusive

    @fuzzed(number=st.integers())
    def check(endpoint, number):
        inconclusive("never")

    with pytest.raises(Inconclusive, match="passed over"):
        check(NoEndpoint())


def test_what_blocks_the_fuzzing_is_said_once_and_nothing_more_is_sent():
    from dcrcheck.verdict import Inconclusive

    endpoint = NoEndpoint()
    Fuzzing.of(endpoint).obstacle = "registrations are limited"

    @fuzzed(number=st.integers())
    def check(endpoint, number):
        Fuzzing.of(endpoint).unhindered(lambda: pytest.fail("it was sent"))

    with pytest.raises(Inconclusive, match="registrations are limited"):
        check(endpoint)
