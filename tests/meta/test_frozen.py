"""Every `#[pyclass]` is frozen: without the GIL, a mutable one is a borrow error waiting for its day."""

import re
from pathlib import Path

import pytest

SOURCES = sorted((Path(__file__).parents[2] / "rust" / "grpo-py" / "src").rglob("*.rs"))

PYCLASS = re.compile(r"\bpyclass\b\s*(\((?:[^()]|\([^()]*\))*\))?")


def unfrozen(source):
    """The pyclass attributes without `frozen`."""
    source = re.sub(r"//.*|/\*.*?\*/", "", source)
    attributes = re.findall(r"#\[(?:[^\[\]]|\[[^\[\]]*\])*\]", source)
    found = [match for attribute in attributes for match in PYCLASS.finditer(attribute)]
    return [match[0] for match in found if not re.search(r"\bfrozen\b", match[1] or "")]


def test_every_pyclass_is_frozen():
    assert len(SOURCES) > 5
    assert {path.name: unfrozen(path.read_text()) for path in SOURCES} == {path.name: [] for path in SOURCES}


@pytest.mark.parametrize(
    "source",
    [
        "#[pyclass]\nstruct A;",
        "#[pyclass(get_all)] struct A;",
        '#[pyclass(name = "Frozen")] struct A;',
        "#[pyo3::pyclass(\n    eq,\n    eq_int,\n)]\nenum A {}",
        '#[cfg_attr(feature = "python", pyclass(eq))] struct A;',
        "#[derive(Clone)]\n#[pyclass /* frozen */]\nstruct A;",
        "#[pyclass] // frozen\nstruct A;",
    ],
)
def test_the_check_finds_what_is_not_frozen(source):
    assert unfrozen(source)


@pytest.mark.parametrize(
    "source",
    [
        "#[pyclass(frozen)] struct A;",
        '#[pyclass(name = "A", frozen, get_all)] struct A;',
        "#[pyclass(\n    eq,\n    frozen,\n)]\nenum A {}",
        "// #[pyclass]\nstruct A;",
        "#[pyfunction] fn f() {}",
    ],
)
def test_the_check_accepts_what_is(source):
    assert unfrozen(source) == []
