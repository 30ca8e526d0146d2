import importlib.util
import os
import sys
import tempfile
from pathlib import Path

import pytest
from grpo_rs import CodeRunner, SandboxUnavailable

HERE = Path(__file__).resolve().parent
SLOW = os.environ.get("GRPO_RS_SLOW_TESTS", "") not in ("", "0")


@pytest.fixture(scope="session")
def sandbox():
    """Skips where no sandbox can be had."""
    try:
        with CodeRunner(workers=1) as runner:
            protection = runner.protection
    except SandboxUnavailable as error:
        pytest.skip(str(error))
    if not protection.sufficient:
        pytest.skip(f"the sandbox is too weak here: {protection.reasons}")
    return protection


@pytest.fixture(scope="session")
def tree():
    """The module `sandbox_tree`: what processes there are, and what they hold."""
    spec = importlib.util.spec_from_file_location("sandbox_tree", HERE / "sandbox_tree.py")
    module = sys.modules["sandbox_tree"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def many():
    """Chooses between a count for the ordinary run and one for GRPO_RS_SLOW_TESTS=1."""
    return lambda ordinary, slow: slow if SLOW else ordinary


@pytest.fixture
def own_tmp(tmp_path, monkeypatch):
    """A folder for temporary files that nobody else uses meanwhile."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return folder
