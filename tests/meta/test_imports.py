"""`import grpo_rs` needs numpy alone, and the layers import one way."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import grpo_rs
import pytest

REPOSITORY = Path(__file__).parents[2]
PACKAGE = Path(grpo_rs.__file__).parent

# What the trainer and its extras bring.
HEAVY = ["torch", "transformers", "pydantic", "tyro", "rich", "safetensors", "pyarrow", "datasets", "gguf"]


def run_python(code):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )


def test_import_brings_numpy_and_nothing_else():
    result = run_python("""
import sys
import numpy
before = set(sys.modules)
import grpo_rs
import grpo_rs.adapters.trl, grpo_rs.adapters.verl
new = {name.partition(".")[0] for name in set(sys.modules) - before}
print(sorted(new - set(sys.stdlib_module_names) - {"numpy"}))
""")
    assert result.stdout == "['grpo_rs']\n", result


def test_the_reward_engine_works_where_the_trainers_libraries_are_missing():
    result = run_python(f"""
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {HEAVY!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Missing())
try:
    import torch
except ModuleNotFoundError:
    pass
else:
    raise SystemExit("the finder blocks nothing")

import grpo_rs as g
from grpo_rs.adapters import trl, verl
assert g.verify_math(["#### 5"], ["5"]).scores.tolist() == [1.0]
assert g.group_advantages([1.0, 0.0], [0, 0]).trainable.all()
assert len(g.pack_rows([3, 4], 10)) == 1
batch = g.rewards.Completions(texts=["5"], golds=["5"])
total = g.rewards.WeightedSum({{"math": g.rewards.MathReward()}}, {{"math": 1.0}})
assert total(batch).total.tolist() == [1.0]
assert trl.math_reward()(["5"], solution=["5"]) == [1.0]
assert verl.compute_score("", "5", "5")["score"] == 1.0
runner = g.CodeRunner()
if runner.protection.sufficient:
    assert runner.run(["print(5)"], [g.stdio_tests([("", "5")])]).passed.all()
print("works", [name for name in {HEAVY!r} if name in sys.modules])
""")
    assert result.stdout == "works []\n", result


def lint(folder):
    # In a fresh process: the linter changes the import path and the logging of the one it runs in.
    return subprocess.run(
        [sys.executable, "-c", "import sys, importlinter.cli as c; sys.exit(c.lint_imports(no_cache=True))"],
        cwd=folder,
        env=os.environ | {"NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_import_contracts_hold():
    pytest.importorskip("importlinter", reason="import-linter is in the extra dev")
    result = lint(REPOSITORY)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "0 broken" in result.stdout
    assert "2 kept" in result.stdout


def imported_from_the_root(source):
    """What a module takes from `grpo_rs` itself, which imports everything."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module == "grpo_rs":
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names if alias.name == "grpo_rs"}
    return names


def test_below_the_trainer_no_module_imports_the_root_package():
    """The linter is told to overlook such imports, because those of `_core` look like them."""
    submodules = {path.stem for path in PACKAGE.iterdir()}
    for path in PACKAGE.rglob("*.py"):
        if path != PACKAGE / "__init__.py" and "train" not in path.relative_to(PACKAGE).parts:
            found = imported_from_the_root(path.read_text(encoding="utf-8"))
            assert found <= submodules | {"_core"}, path
    assert imported_from_the_root("import grpo_rs\nfrom grpo_rs import a\nfrom grpo_rs.b import c") == {
        "grpo_rs",
        "a",
    }


def test_the_linter_finds_a_broken_contract(tmp_path):
    """The contracts' form, on a package that breaks them: they could otherwise hold of nothing."""
    pytest.importorskip("importlinter", reason="import-linter is in the extra dev")
    package = tmp_path / "layered"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "low.py").write_text("import layered.high\n")
    (package / "high.py").write_text("import torch\n")
    (tmp_path / "pyproject.toml").write_text(
        "[tool.importlinter]\nroot_package = 'layered'\ninclude_external_packages = true\n"
        "[[tool.importlinter.contracts]]\nname = 'layers'\ntype = 'layers'\n"
        "layers = ['layered.high', 'layered.low']\n"
        "[[tool.importlinter.contracts]]\nname = 'torch'\ntype = 'forbidden'\n"
        "source_modules = ['layered.high']\nforbidden_modules = ['torch']\n"
    )
    result = lint(tmp_path)
    assert result.returncode != 0
    assert "2 broken" in result.stdout
