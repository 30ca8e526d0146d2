"""What Rust exports is typed and wrapped; what the package exports is listed and documented."""

import ast
import inspect
import types
from pathlib import Path

import grpo_rs
import pytest
from grpo_rs import _core, code, errors, math, outcomes

PACKAGE = Path(grpo_rs.__file__).parent
STUB = ast.parse((PACKAGE / "_core.pyi").read_text(encoding="utf-8"))

EXPORTED = {name for name in dir(_core) if not (name.startswith("__") and name.endswith("__"))}
PUBLIC = {name for name in EXPORTED if not name.startswith("_")} | {"__version__"}


def stub_definitions():
    definitions = {}
    for node in STUB.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            definitions[node.name] = node
        elif isinstance(node, ast.AnnAssign):
            definitions[node.target.id] = node
    return definitions


def used_names(source):
    """The names that a module takes from `grpo_rs._core`."""
    used = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module == "grpo_rs._core":
            used |= {alias.name for alias in node.names}
        elif (
            isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "_core"
        ):
            used.add(node.attr)
    return used


def test_everything_that_rust_exports_is_typed():
    assert EXPORTED | {"__version__"} == set(stub_definitions())


def test_everything_public_that_rust_exports_is_used_by_the_package():
    used = set().union(*(used_names(path.read_text(encoding="utf-8")) for path in PACKAGE.rglob("*.py")))
    # The outcome lists are Rust's side of an enumeration that is written out in Python, for type
    # checkers and readers; tests/unit/test_outcomes.py compares the two.
    mirrored = {"math_outcomes", "sandbox_outcomes"}
    # Processes of the sandbox are handed the module, and call it by another name; tests compare Rust's
    # values and outputs with Python's.
    apart = mirrored | {
        "compare_outputs",
        "decode_value",
        "encode_value",
        "HandleValue",
        "OpaqueValue",
        "program_imports",
        "sandbox_supervise",
        "SandboxZygote",
        "values_equal",
    }
    used -= {"__file__"}  # where the module lies, for the sandbox to read it
    assert used | apart == PUBLIC | (used & EXPORTED)
    assert not used & apart


def test_the_check_sees_both_ways_to_use_a_name():
    source = "from grpo_rs import _core\nfrom grpo_rs._core import a\n_core.b(1)\nother.c\n"
    assert used_names(source) == {"a", "b"}


@pytest.mark.parametrize("name", sorted(name for name in EXPORTED if callable(getattr(_core, name))))
def test_the_stub_has_rusts_parameters(name):
    definition = stub_definitions()[name]
    if isinstance(definition, ast.ClassDef):
        bases = [base.id for base in definition.bases]
        assert bases == [base.__name__ for base in getattr(_core, name).__bases__ if base is not object]
        return
    parameters = inspect.signature(getattr(_core, name)).parameters.values()
    kinds = {kind: [p.name for p in parameters if p.kind == kind] for kind in inspect._ParameterKind}
    arguments = definition.args
    positional = [argument.arg for argument in arguments.posonlyargs + arguments.args]
    assert positional == (
        kinds[inspect.Parameter.POSITIONAL_ONLY] + kinds[inspect.Parameter.POSITIONAL_OR_KEYWORD]
    )
    assert [argument.arg for argument in arguments.kwonlyargs] == kinds[inspect.Parameter.KEYWORD_ONLY]
    optional = {p.name for p in parameters if p.default is not inspect.Parameter.empty}
    defaults = dict(zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True))
    assert {argument.arg for argument, default in defaults.items() if default is not None} == optional


def test_all_is_sorted_and_complete():
    listed = grpo_rs.__all__
    assert listed == sorted(listed)
    assert len(set(listed)) == len(listed)
    names = {
        name
        for name, value in vars(grpo_rs).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType)
    }
    modules = {"adapters", "errors", "rewards"}
    assert set(listed) == names | modules | {"__version__"}


@pytest.mark.parametrize("module", [math, code, outcomes], ids=lambda module: module.__name__)
def test_what_a_module_exports_the_package_does(module):
    assert module.__all__ == sorted(module.__all__)
    for name in module.__all__:
        assert getattr(grpo_rs, name) is getattr(module, name)


def test_every_exception_is_in_errors():
    assert errors.__all__ == sorted(errors.__all__)
    exceptions = {name for name, value in vars(errors).items() if isinstance(value, type)}
    assert set(errors.__all__) == exceptions
    rust = {name: getattr(_core, name) for name in PUBLIC}
    raised = {name for name, v in rust.items() if isinstance(v, type) and issubclass(v, Exception)}
    assert raised <= exceptions


@pytest.mark.parametrize("name", [name for name in grpo_rs.__all__ if name not in ("Extract", "__version__")])
def test_every_public_name_is_documented(name):
    thing = getattr(grpo_rs, name)
    text = vars(thing).get("__doc__") if isinstance(thing, type) else thing.__doc__
    assert text
    assert not text.startswith(f"{name}(")  # what a dataclass writes when nobody did
    assert len(text) > 20
    if inspect.isfunction(thing):
        undocumented = [p for p in inspect.signature(thing).parameters if f" {p}: " not in text]
        assert len(inspect.signature(thing).parameters) == 1 or undocumented == []


def test_every_field_of_a_public_dataclass_is_documented():
    for name in grpo_rs.__all__:
        thing = getattr(grpo_rs, name)
        if hasattr(thing, "__dataclass_fields__") and len(thing.__dataclass_fields__) > 1:
            fields = [field for field in thing.__dataclass_fields__ if not field.startswith("_")]
            assert [field for field in fields if field not in thing.__doc__] == [], name


def test_the_package_is_typed():
    assert (PACKAGE / "py.typed").is_file()
