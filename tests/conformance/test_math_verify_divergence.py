"""Every verdict that differs from Math-Verify's is written down, and nothing else is.

Runs where Math-Verify is installed: pip install 'math-verify[antlr4-13-2]'.
"""

import importlib.util
from pathlib import Path

import pytest

pytest.importorskip("math_verify")

SCRIPT = Path(__file__).parents[2] / "docs" / "divergences" / "generate.py"


# Math-Verify takes the signal that pytest-timeout would use.
@pytest.mark.timeout(600, method="thread")
def test_the_page_lists_every_divergence_and_no_other():
    spec = importlib.util.spec_from_file_location("divergences_math_verify", SCRIPT)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    found, written = script.divergences(), script.written()
    assert len(script.cases()) > 150
    again = "run python docs/divergences/generate.py"
    assert sorted(found.keys() - written.keys()) == [], f"not written down: {again}"
    assert sorted(written.keys() - found.keys()) == [], f"no longer so: {again}"
    assert found == written, again
