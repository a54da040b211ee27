"""Every requirement is accounted for: by a check, or by a reason for having none."""

import ast
from dataclasses import replace

import pytest

from dcrcheck.catalogue import Catalogue, catalogue, observes, requirement
from dcrcheck.charge import charge_of
from dcrcheck.documents import ConfigurationError
from dcrcheck.house import SUITES
from dcrcheck.profile import load_policy, load_profile, policy_names, profile_names


def cited(decorator: str = "requirement") -> set[str]:
    found: set[str] = set()
    for path in SUITES.rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == decorator:
                found |= {argument.value for argument in node.args if isinstance(argument, ast.Constant)}
    return found


def test_every_requirement_has_a_check_or_a_reason():
    missing = {row.id for row in catalogue().values() if not row.unchecked} - cited() - cited("observes")

    assert missing == set()


def test_no_requirement_has_both_a_check_and_a_reason_for_none():
    both = {row.id for row in catalogue().values() if row.unchecked} & (cited() | cited("observes"))

    assert both == set()


def test_every_citation_is_in_the_catalogue():
    assert (cited() | cited("observes")) - set(catalogue()) == set()


def test_every_row_says_what_goes_wrong_and_what_to_change():
    silent = [row.id for row in catalogue().values() if not (row.text.strip() and row.why.strip() and row.fix.strip())]

    assert silent == []


def test_the_registration_rfcs_are_complete():
    rows = list(catalogue().values())

    assert sum(row.source == "RFC 7591" for row in rows) == 112
    assert sum(row.source == "RFC 7592" for row in rows) == 60


@pytest.mark.parametrize("name", policy_names())
def test_a_policy_is_valid(name: str):
    assert load_policy(name, catalogue()).sources


@pytest.mark.parametrize("name", profile_names())
def test_a_profile_is_valid(name: str):
    assert load_profile(name, catalogue()).title


@pytest.mark.parametrize(("content", "complaint"), [
    ('title = "x"\npolicy = "mcp"\nisuer = "https://a.example"', "unknown key 'isuer'; did you mean 'issuer'?"),
    ('title = "x"\npolicy = "mpc"', "no policy 'mpc'; did you mean 'mcp'?"),
    ('title = "x"\npolicy = "mcp"\n[[known]]\ncheck="c"\nreason="r"\nrequirement="RFC7591-3.2.1-80"',
     "no requirement 'RFC7591-3.2.1-80' in the catalogue; did you mean"),
    ('title = "x"\nextends = "no-such"', "extends 'no-such', and there is no such profile"),
    ("title = ", "not valid TOML"),
    ('title = "x"\npolicy = "mcp"\nstrict = "yes"', "strict"),
], ids=["key", "policy", "requirement", "parent", "syntax", "type"])
def test_a_typo_in_a_profile_is_said_in_one_line(tmp_path, content, complaint):
    path = tmp_path / "mine.toml"
    path.write_text(content)

    with pytest.raises(ConfigurationError) as raised:
        load_profile(str(path), catalogue())

    assert complaint in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_profile_may_extend_another(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('title = "Mine"\nextends = "oidc-provider"\nissuer = "https://idp.example.com"\n'
                    '[[known]]\ncheck = "test_x"\nrequirement = "RFC7592-2.1-04"\nreason = "r"\nexpires = 2027-06-30')

    mine, parent = load_profile(str(path), catalogue()), load_profile("oidc-provider", catalogue())

    assert mine.policy.name == parent.policy.name
    assert mine.issuer == "https://idp.example.com"
    assert mine.known[-1].expires.year == 2027


def test_an_id_stands_in_the_catalogue_once(tmp_path):
    row = ('[[requirement]]\nid = "X-1"\nsection = "1"\nlevel = "MUST"\nseverity = "low"\ntestable = "yes"\n'
           'text = "A sentence of some length."\nwhy = "What goes wrong then."\nfix = "What to change."\n')
    (tmp_path / "one.toml").write_text(f'source = "X"\ntitle = "X"\nlink = "https://x.example"\n{row}{row}')

    with pytest.raises(ConfigurationError, match="twice"):
        Catalogue(tmp_path)


def test_a_pinned_source_binds_the_rows_of_its_revision_only():
    row = replace(next(iter(catalogue().values())), revisions=())
    later, earlier = replace(row, revisions=("2",)), replace(row, revisions=("1", "2"))
    policy = replace(load_policy("rfc7591", catalogue()), sources=(f"{row.source} @ 1",), advisory=())

    assert policy.strength(row) is row.strength
    assert policy.strength(earlier) is row.strength
    assert policy.strength(later) is None


def test_what_a_check_observes_is_a_permission():
    def check() -> None:
        """A claim."""

    observes("RFC7591-3.2.1-01")(requirement("RFC7591-3.2.1-01")(check))

    with pytest.raises(ConfigurationError, match="which a server can break"):
        charge_of(check, check_id="x", suite="x", book=catalogue())
