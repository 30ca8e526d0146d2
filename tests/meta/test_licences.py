"""deny.toml without cargo-deny: licences that let anyone link the wheel, and no crate that compiles C."""

import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
DENY = tomllib.loads((REPOSITORY / "deny.toml").read_text(encoding="utf-8"))
ALLOWED = set(DENY["licenses"]["allow"])
BANNED = {entry["name"] for entry in DENY["bans"]["deny"]}


def satisfiable(expression, allowed):
    """Whether the allowed licences satisfy an SPDX expression ("/" is the old spelling of "OR")."""
    tokens = re.findall(r"[()]|[^\s()]+", expression.replace("/", " OR "))
    # "A WITH E" is one licence.
    while "WITH" in tokens:
        at = tokens.index("WITH")
        tokens[at - 1 : at + 2] = [" ".join(tokens[at - 1 : at + 2])]

    def either():
        result = both()
        while tokens and tokens[0] == "OR":
            tokens.pop(0)
            result = both() or result
        return result

    def both():
        result = one()
        while tokens and tokens[0] == "AND":
            tokens.pop(0)
            result = one() and result
        return result

    def one():
        token = tokens.pop(0)
        if token == "(":
            result = either()
            assert tokens.pop(0) == ")"
            return result
        return token in allowed

    result = either()
    assert not tokens, expression
    return result


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("MIT", True),
        ("GPL-3.0", False),
        ("MIT OR GPL-3.0", True),
        ("GPL-3.0 OR MIT", True),
        ("MIT AND GPL-3.0", False),
        ("GPL-3.0/MIT", True),
        ("MIT AND GPL-3.0 OR Zlib", True),  # AND binds first
        ("MIT AND (GPL-3.0 OR Zlib)", True),
        ("(MIT OR Zlib) AND GPL-3.0", False),
        ("(MIT OR Apache-2.0) AND Unicode-3.0", False),
        ("Apache-2.0 WITH LLVM-exception", True),
        ("Apache-2.0", False),  # the exception was allowed, not the licence
        ("Apache-2.0 WITH LLVM-exception OR Apache-2.0 OR GPL-3.0", True),
    ],
)
def test_the_reader_of_licence_expressions(expression, expected):
    assert satisfiable(expression, {"MIT", "Zlib", "Apache-2.0 WITH LLVM-exception"}) is expected


@pytest.fixture(scope="module")
def third_party():
    """Every package of Cargo.lock from a registry, development's and other systems' included."""
    if shutil.which("cargo") is None:
        pytest.skip("cargo is not installed")
    command = ["cargo", "metadata", "--format-version", "1", "--locked"]
    for options in (["--offline"], []):  # the network only where crates have not been fetched yet
        result = subprocess.run(
            command + options, cwd=REPOSITORY, capture_output=True, text=True, timeout=250, check=False
        )
        if result.returncode == 0:
            packages = json.loads(result.stdout)["packages"]
            return [package for package in packages if package["source"] is not None]
    pytest.fail(result.stderr)


def test_every_licence_is_permissive(third_party):
    assert len(third_party) > 20
    refused = {
        package["name"]: package["license"]
        for package in third_party
        if not (package["license"] and satisfiable(package["license"], ALLOWED))
    }
    assert refused == {}


def test_no_banned_crate(third_party):
    assert {"cc", "bindgen", "cmake"} <= BANNED
    assert {package["name"] for package in third_party} & BANNED == set()


def test_everything_comes_from_the_registry(third_party):
    """No git repositories: a registry's versions do not change under us, through a mirror or not."""
    assert {package["source"].partition("+")[0] for package in third_party} <= {"registry", "sparse"}


def test_no_allowed_licence_is_unneeded(third_party):
    """The list is what was read and accepted, not what might come."""
    needed = {
        licence
        for licence in ALLOWED
        if not all(satisfiable(package["license"], ALLOWED - {licence}) for package in third_party)
    }
    # Listed for both halves of the usual pair; either would do.
    assert ALLOWED - needed <= {"Apache-2.0", "MIT", "BSD-3-Clause", "Unlicense", "Zlib"}
