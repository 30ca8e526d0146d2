"""One version, that of Cargo.toml; a compiled module of another one is refused at import."""

import importlib.metadata
import subprocess
import sys
import tomllib
from pathlib import Path

import grpo_rs
from grpo_rs import _core

REPOSITORY = Path(__file__).parents[2]


def test_package_metadata_and_module_agree_with_cargo():
    workspace = tomllib.loads((REPOSITORY / "Cargo.toml").read_text(encoding="utf-8"))["workspace"]
    version = workspace["package"]["version"]
    assert version == _core.__version__ == grpo_rs.__version__ == importlib.metadata.version("grpo_rs")


def test_every_crate_takes_the_version_of_the_workspace():
    manifests = list(REPOSITORY.glob("rust/grpo-*/Cargo.toml"))
    assert len(manifests) == 4
    for path in manifests:
        assert tomllib.loads(path.read_text(encoding="utf-8"))["package"]["version"] == {"workspace": True}
    lock = tomllib.loads((REPOSITORY / "Cargo.lock").read_text(encoding="utf-8"))["package"]
    own = {package["version"] for package in lock if package["name"].startswith("grpo-")}
    assert own == {_core.__version__}


def test_a_stale_compiled_module_is_refused():
    code = """
import importlib.metadata
real = importlib.metadata.version
importlib.metadata.version = lambda name: "99.0.0" if name == "grpo_rs" else real(name)
try:
    import grpo_rs
except ImportError as error:
    print(error)
"""
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert result.stdout == (
        f"grpo_rs 99.0.0 found a compiled module of version {_core.__version__}: install it again "
        "(pip install --force-reinstall grpo_rs)\n"
    ), result
