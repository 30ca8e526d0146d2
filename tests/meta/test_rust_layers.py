"""The Rust crates: who may depend on whom, and where unsafe code may stand."""

import re
import tomllib
from pathlib import Path

import pytest

RUST = Path(__file__).parents[2] / "rust"

ENGINES = ["grpo-math", "grpo-sandbox", "grpo-batch"]
FORBIDDEN = {"grpo-math", "grpo-sandbox", "grpo-batch", "grpo-py", "pyo3", "numpy", "rayon"}


def dependencies(manifest):
    """Every dependency of a manifest: normal, development and build ones, of all targets."""
    kinds = ("dependencies", "dev-dependencies", "build-dependencies")
    tables = [manifest, *manifest.get("target", {}).values()]
    names = set()
    for table in tables:
        for kind in kinds:
            for name, value in table.get(kind, {}).items():
                names.add(value.get("package", name) if isinstance(value, dict) else name)
    return names


def manifest(crate):
    return tomllib.loads((RUST / crate / "Cargo.toml").read_text(encoding="utf-8"))


def code(path):
    """A source file without its comments and strings."""
    text = path.read_text(encoding="utf-8")
    return re.sub(r'//[^\n]*|/\*.*?\*/|"(?:[^"\\]|\\.)*"', "", text, flags=re.DOTALL)


@pytest.mark.parametrize("crate", ENGINES)
def test_the_engines_know_neither_each_other_nor_python(crate):
    found = dependencies(manifest(crate))
    assert found
    assert found & FORBIDDEN == set()


def test_the_binding_knows_all_three():
    assert set(ENGINES) <= dependencies(manifest("grpo-py"))


def test_the_check_sees_every_kind_of_dependency():
    planted = tomllib.loads("""
        [dependencies]
        a = "1"
        [dev-dependencies]
        b.workspace = true
        [build-dependencies]
        c = "1"
        [target.'cfg(unix)'.dependencies]
        d = { package = "pyo3", version = "1" }
    """)
    assert dependencies(planted) == {"a", "b", "c", "pyo3"}


def test_every_crate_is_known_here():
    crates = {path.parent.name for path in RUST.glob("*/Cargo.toml")} - {"fuzz"}
    assert crates == {*ENGINES, "grpo-py"}


@pytest.mark.parametrize("crate", ["grpo-math", "grpo-batch", "grpo-py"])
def test_unsafe_code_is_forbidden(crate):
    assert re.search(r"^#!\[forbid\(unsafe_code\)\]$", code(RUST / crate / "src" / "lib.rs"), re.MULTILINE)


def test_unsafe_code_stands_in_one_folder():
    sys_folder = RUST / "grpo-sandbox" / "src" / "sys"
    sources = list(RUST.glob("*/src/**/*.rs"))
    unsafe = {path for path in sources if re.search(r"\bunsafe\b", code(path))}
    assert unsafe  # or this looks for the wrong word
    assert [path for path in unsafe if not path.is_relative_to(sys_folder)] == []
    # Elsewhere in that crate the compiler refuses it.
    assert "#![deny(unsafe_code)]" in code(RUST / "grpo-sandbox" / "src" / "lib.rs")


def test_the_engines_print_nothing_and_end_nothing():
    """A library that writes to the terminal, or exits, or starts threads of its own, is a bad guest."""
    words = re.compile(r"\b(?:e?print(?:ln)?!|dbg!|process::exit|std::env::set_var|thread::spawn)")
    found = {
        path.name: words.findall(code(path))
        for crate in (*ENGINES, "grpo-py")
        for path in (RUST / crate / "src").rglob("*.rs")
    }
    assert {name: words for name, words in found.items() if words} == {}
