"""The documentation is fresh, its links lead somewhere, and its code runs."""

import importlib
import re
import subprocess
import sys
from pathlib import Path

import grpo_rs
import pytest

ROOT = Path(__file__).parents[2]
SKIPPED_FOLDERS = {"target", "node_modules", "runs", "dist", "build"}
PAGES = sorted(
    path
    for path in ROOT.rglob("*.md")
    if not any(part in SKIPPED_FOLDERS or part.startswith(".") for part in path.relative_to(ROOT).parts)
)
LINK = re.compile(r"\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# These need a model or another framework.
NOT_RUN = ("from_pretrained", "GRPOTrainer")


def name(path):
    return str(path.relative_to(ROOT))


def anchors(page):
    """The anchors that headings of a page get, as code hosts make them."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def python_blocks():
    for page in PAGES:
        if not (page.parent == ROOT or "docs" in page.relative_to(ROOT).parts):
            continue
        blocks = [code for language, code in FENCE.findall(page.read_text("utf-8")) if language == "python"]
        for number, code in enumerate(blocks, start=1):
            if not any(word in code for word in NOT_RUN):
                yield pytest.param(code, id=f"{name(page)}-{number}")


def test_generated_pages_are_fresh():
    pytest.importorskip("torch")
    ended = subprocess.run(
        [sys.executable, ROOT / "docs" / "generate.py", "--check"],
        check=False,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, f"{ended.stdout}{ended.stderr}: run python docs/generate.py"


def test_every_switch_of_the_policy_has_an_example_that_it_decides():
    page = (ROOT / "docs" / "policy.md").read_text(encoding="utf-8")
    for section in page.split("\n## ")[1:]:
        name, _, text = section.partition("\n")
        first = re.findall(r"^\| `.*$", text, re.MULTILINE)[0]
        assert " = |" in first and " ≠ |" in first, name


def test_there_are_pages():
    assert {"README.md", "docs/index.md", "rust/README.md"} <= {name(page) for page in PAGES}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_relative_links_resolve(page):
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    broken = []
    for target in LINK.findall(text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        place = (page.parent / path).resolve() if path else page
        found = place.exists() and (not anchor or place.suffix != ".md" or anchor in anchors(place))
        if not found:
            broken.append(target)
    assert not broken


def test_index_names_every_page():
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    pages = [page.relative_to(ROOT / "docs") for page in (ROOT / "docs").rglob("*.md")]
    assert not [str(page) for page in pages if page.name != "index.md" and f"({page})" not in index]


@pytest.mark.parametrize("code", list(python_blocks()))
def test_python_blocks_run(code, tmp_path):
    if ("CodeRunner(" in code or "CodeReward(" in code) and not grpo_rs.CodeRunner().protection.sufficient:
        pytest.skip("needs a sandbox")
    ended = subprocess.run(
        [sys.executable, "-c", code], check=False, cwd=tmp_path, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr


def test_functions_of_papers_exist():
    pytest.importorskip("torch")
    listed = re.findall(r"`(grpo_rs[\w.]*\.\w+)`", (ROOT / "docs" / "papers.md").read_text(encoding="utf-8"))
    assert len(listed) > 5
    for path in listed:
        module, _, function = path.rpartition(".")
        assert callable(getattr(importlib.import_module(module), function)), path


def test_toml_of_the_training_guide_is_accepted():
    pytest.importorskip("torch")
    import tomllib

    from grpo_rs.train.config import config_from_dict

    text = (ROOT / "docs" / "guides" / "train.md").read_text(encoding="utf-8")
    blocks = [code for language, code in FENCE.findall(text) if language == "toml"]
    assert blocks
    for code in blocks:
        config_from_dict(tomllib.loads(code))
