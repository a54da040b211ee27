"""The parameters of a policy: everything that two correct servers may do differently."""

from __future__ import annotations

from dataclasses import dataclass, replace

DAY = 24 * 3600


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What this server offers and where its limits are. Times are in seconds, sizes in octets or characters."""

    # Who may register, and as what
    registration_closed: bool = False
    initial_access_token_required: bool = False
    auth_methods: tuple[str, ...] = ("client_secret_basic", "client_secret_post", "private_key_jwt", "none")
    default_auth_method: str = "client_secret_basic"
    grant_types: tuple[str, ...] = ("authorization_code", "refresh_token", "client_credentials")
    response_types: tuple[str, ...] = ("code",)
    redirect_classes: tuple[str, ...] = ("https", "loopback", "private-use")
    scopes: tuple[str, ...] = ("mcp:read", "mcp:write", "offline_access")
    default_scope: str = "mcp:read"
    unknown_members_refused: bool = False
    reserved_names: tuple[str, ...] = ()
    withdrawn_software_ids: tuple[str, ...] = ("withdrawn-software",)
    openid: bool = False

    # What happens at authorization
    resource_required: bool = False
    url_client_ids: bool = False
    errors_before_login: bool = False
    pushed_requests: bool = True
    logout: bool = True
    logos_shown: bool = True

    # How long things live; 0 for a secret: for ever (RFC 7591, section 3.2.1)
    secret_lifetime: int = 0
    code_lifetime: int = 60
    pushed_request_lifetime: int = 90
    access_token_lifetime: int = 600
    refresh_token_lifetime: int = 30 * DAY
    session_lifetime: int = 3600
    transaction_lifetime: int = 600
    stale_after: int = 90 * DAY

    # How much one request may hold
    body_size: int = 64 * 1024
    nesting: int = 16
    members: int = 200
    redirect_uri_count: int = 16
    uri_length: int = 2048
    name_length: int = 256
    text_length: int = 256
    scope_length: int = 1024
    contact_count: int = 10
    key_count: int = 10
    key_set_size: int = 16 * 1024

    # How often: requests to the registration endpoint in a moving window
    registrations: int = 100
    realm_registrations: int = 1000
    registration_window: int = 3
    login_failures: int = 50
    login_window: int = 60


_OPEN = Rules()
_MCP = Rules(
    auth_methods=("none",), default_auth_method="none",
    grant_types=("authorization_code", "refresh_token"), redirect_classes=("https", "loopback"),
    resource_required=True, url_client_ids=True, name_length=80,
    reserved_names=("Administrator", "Admin", "Authorization Server", "Identity Provider", "Root", "Security",
                    "Support", "System", "Reference Authorization Server"),
)
# MCP authorization as it is written, without limits of our own
_MCP_AS_WRITTEN = replace(_OPEN, grant_types=("authorization_code", "refresh_token"),
                          redirect_classes=("https", "loopback"))

POLICIES: dict[str, Rules] = {
    "rfc7591": _OPEN,
    "oidc": replace(_OPEN, openid=True, grant_types=("authorization_code", "refresh_token"),
                    auth_methods=("client_secret_basic", "client_secret_post", "private_key_jwt")),
    "initial-access-token": replace(_OPEN, initial_access_token_required=True),
    "closed": replace(_OPEN, registration_closed=True),
    "oauth21": _OPEN,
    "mcp": _MCP,
    "mcp-2025-03-26": replace(_MCP_AS_WRITTEN, grant_types=_OPEN.grant_types),
    "mcp-2025-06-18": _MCP_AS_WRITTEN,
    "mcp-2025-11-25": replace(_MCP_AS_WRITTEN, url_client_ids=True),
    "mcp-2026-07-28": replace(_MCP_AS_WRITTEN, url_client_ids=True),
    "hardened": replace(_MCP, unknown_members_refused=True, logos_shown=False),
}
