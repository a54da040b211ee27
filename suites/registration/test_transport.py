"""How the registration endpoint is reached (RFC 7591, sections 3 and 5)."""

import ssl
from urllib.parse import urlsplit

from dcrcheck import Endpoint, inconclusive, needs, requirement


@requirement("RFC7591-3-02", "OIDCR-9-01")
@needs("tls")
def test_the_registration_endpoint_is_https(endpoint: Endpoint):
    """The registration endpoint is an https URL."""
    scheme = urlsplit(endpoint.registration_url).scheme

    assert scheme == "https", f"the registration endpoint is {endpoint.registration_url}"


@requirement("RFC7591-3-02", "RFC7591-5-01", "OIDCR-9-01")
@needs("tls")
def test_plain_http_registers_nothing(endpoint: Endpoint):
    """A registration that is sent over plain http registers no client."""
    address = urlsplit(endpoint.registration_url)
    plain = address._replace(scheme="http", netloc=address.netloc.removesuffix(":443")).geturl()
    # the token, if the server wants one, must not go over the wire in the clear
    answer = endpoint.submit(url=plain, headers={"authorization": None})
    if answer.status in (401, 429):
        inconclusive(f"what plain http would do with a token was not tried: {answer.describe()}")

    assert answer.registered is None, f"plain http was answered {answer.describe()} with a client_id"


@requirement("RFC7591-5-02", "OIDCR-9.3-01")
@needs("tls")
def test_the_registration_endpoint_speaks_tls_1_2(endpoint: Endpoint):
    """A TLS handshake that offers version 1.2 alone succeeds at the registration endpoint."""
    failure = endpoint.transport.handshake(endpoint.registration_url, ssl.TLSVersion.TLSv1_2)

    assert not failure, f"the handshake failed: {failure}"
