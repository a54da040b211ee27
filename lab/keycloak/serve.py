"""Keycloak in production mode with a data base in memory, and a realm set up by its admin REST API.

usage: serve.py PORT CONFIGURATION

default                the realm as it comes: strangers may not register
anonymous              the client registration policy "Trusted Hosts" admits requests from loopback and any redirect
                       URI, and "Max Clients Limit" admits more than its 200; everything else is as it comes
initial-access-token   the realm as it comes, and an initial access token made for the run
client-policy          the same, and a client policy of the realm: confidential clients authenticate with a key

The user is alice, alice-pass. When all is in place, a public client named "ready" is made in the realm of the
administrator, whose installation file anyone may read from then on: that is how the lab sees that it may begin.
"""

import json
import os
import secrets
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

PORT, CONFIGURATION = int(sys.argv[1]), sys.argv[2]
BASE = f"http://127.0.0.1:{PORT}"
REALM = "lab"
ADMINISTRATOR, PASSWORD = "administrator", secrets.token_urlsafe(24)
POLICY = "org.keycloak.services.clientregistration.policy.ClientRegistrationPolicy"
MANY = 100_000
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def start():
    """Start the distribution that lies beside this file; older releases have other names for some of the settings."""
    script = next(Path(__file__).parent.glob("keycloak-*/bin/kc.sh"))
    release = int(script.parts[-3].removeprefix("keycloak-").partition(".")[0])
    hostname = f"--hostname={BASE}" if release >= 25 else f"--hostname-url={BASE}"
    named = {"KC_BOOTSTRAP_ADMIN_USERNAME": ADMINISTRATOR, "KC_BOOTSTRAP_ADMIN_PASSWORD": PASSWORD,
             "KEYCLOAK_ADMIN": ADMINISTRATOR, "KEYCLOAK_ADMIN_PASSWORD": PASSWORD}
    # the first compiler alone: a server that lives for minutes never earns back what the second one costs
    options = {"JAVA_OPTS_APPEND": "-XX:TieredStopAtLevel=1"}
    return subprocess.Popen(
        ["sh", str(script), "start", "--optimized", "--http-enabled=true", "--http-host=127.0.0.1",
         f"--http-port={PORT}", hostname], env={**os.environ, **named, **options})


def wait(server):
    while True:
        if server.poll() is not None:
            sys.exit(server.returncode or 1)
        try:
            OPENER.open(f"{BASE}/realms/master", timeout=5).close()
        except OSError:
            time.sleep(0.2)
        else:
            return


def token():
    """An access token of the first administrator; it lives for a minute, which a busy machine may need for one call."""
    form = f"grant_type=password&client_id=admin-cli&username={ADMINISTRATOR}&password={PASSWORD}"
    request = urllib.request.Request(f"{BASE}/realms/master/protocol/openid-connect/token", form.encode())
    with OPENER.open(request, timeout=60) as answer:
        return json.load(answer)["access_token"]


def admin(method, path, content=None):
    """A request to the admin REST API."""
    request = urllib.request.Request(
        f"{BASE}/admin/realms{path}", None if content is None else json.dumps(content).encode(), method=method,
        headers={"authorization": f"Bearer {token()}", "content-type": "application/json"})
    with OPENER.open(request, timeout=120) as answer:
        return json.loads(answer.read() or b"null")


def make_realm():
    """A realm with one user, who is made after it: only then does it give him its default roles."""
    user = {"username": "alice", "enabled": True, "emailVerified": True, "email": "alice@client.example",
            "firstName": "Alice", "lastName": "Liddell",
            "credentials": [{"type": "password", "value": "alice-pass", "temporary": False}]}
    admin("POST", "", {"realm": REALM, "enabled": True})
    admin("POST", f"/{REALM}/users", user)


def set_policy(name, **config):
    """Change a client registration policy for requests that carry no token."""
    components = admin("GET", f"/{REALM}/components?type={POLICY}")
    component = next(c for c in components if (c["name"], c["subType"]) == (name, "anonymous"))
    component["config"].update({key.replace("_", "-"): value for key, value in config.items()})
    admin("PUT", f"/{REALM}/components/{component['id']}", component)


def open_to_anyone():
    loopback = ["127.0.0.1", "localhost"]
    set_policy("Trusted Hosts", trusted_hosts=loopback, client_uris_must_match=["false"])
    set_policy("Max Clients Limit", max_clients=[str(MANY)])


def hand_over_a_token():
    made = admin("POST", f"/{REALM}/clients-initial-access", {"expiration": 86400, "count": MANY})
    with open(os.environ["LAB_HANDOVER"], "w", encoding="utf-8",
              opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
        file.write(f"DCRCHECK_INITIAL_ACCESS_TOKEN={made['token']}\n")


def demand_keys():
    hand_over_a_token()
    executor = {"executor": "secure-client-authenticator", "configuration": {
        "allowed-client-authenticators": ["client-jwt"], "default-client-authenticator": "client-jwt"}}
    condition = {"condition": "client-access-type", "configuration": {"type": ["confidential"]}}
    admin("PUT", f"/{REALM}/client-policies/profiles", {"profiles": [
        {"name": "keys", "executors": [executor]}]})
    admin("PUT", f"/{REALM}/client-policies/policies", {"policies": [
        {"name": "keys", "enabled": True, "conditions": [condition], "profiles": ["keys"]}]})


PREPARATIONS = {"default": lambda: None, "anonymous": open_to_anyone, "initial-access-token": hand_over_a_token,
                "client-policy": demand_keys}
server = start()
wait(server)
make_realm()
PREPARATIONS[CONFIGURATION]()
admin("POST", "/master/clients", {"clientId": "ready", "publicClient": True, "standardFlowEnabled": False})
sys.exit(server.wait())
