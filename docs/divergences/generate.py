"""Writes the table of docs/divergences/math-verify.md: where the verdicts on the conformance cases differ.

    pip install 'math-verify[antlr4-13-2]'
    python docs/divergences/generate.py            # --check: write nothing, exit with 1 if it is stale

tests/conformance/test_math_verify_divergence.py makes the same check.
"""

from __future__ import annotations

import argparse
import sys
import tomllib
import warnings
from pathlib import Path
from typing import Any

from grpo_rs import verify_math

PAGE = Path(__file__).with_name("math-verify.md")
CASES = Path(__file__).parents[2] / "tests" / "conformance" / "data" / "math"
MARK = "<!-- Written by docs/divergences/generate.py from here on. -->\n"
# Both look in these for the answer in their own way. The other strategies have no counterpart there.
STRATEGIES = ("auto", "boxed", "whole")
ACCEPTED = {True: "accepts", False: "refuses"}


def cases() -> list[dict[str, Any]]:
    """The conformance cases on which both can be asked."""
    files = sorted(CASES.glob("*.toml"))
    every = [case for file in files for case in tomllib.loads(file.read_text(encoding="utf-8"))["case"]]
    return [case for case in every if case.get("extract", "auto") in STRATEGIES and "policy" not in case]


def theirs(gold: str, prediction: str, *, whole: bool) -> bool:
    """Math-Verify's verdict with its default settings; gold and whole answers in a box, as it advises."""
    from math_verify import parse, verify

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            read = parse(gold if marked(gold) else f"\\boxed{{{gold}}}")
            reply = parse(f"\\boxed{{{prediction}}}" if whole and not marked(prediction) else prediction)
            return bool(verify(read, reply))
        # Its timeout is no Exception.
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt | SystemExit):
                raise
            return False


def marked(text: str) -> bool:
    """Whether the text marks its answer itself: a box on top would hide the mark."""
    text = text.strip()
    formula = len(text) > 2 and text.startswith("$") and text.endswith("$")
    return formula or any(mark in text for mark in ("\\boxed", "\\fbox", "####"))


def ours(case: dict[str, Any]) -> bool:
    extract = case.get("extract", "auto")
    return bool(verify_math([case["prediction"]], [case["gold"]], extract=extract).scores[0] == 1)


def divergences() -> dict[str, str]:
    """The table's lines by case."""
    lines = {}
    for case in cases():
        they = theirs(case["gold"], case["prediction"], whole=case.get("extract") == "whole")
        we = ours(case)
        if they != we:
            gold, prediction = spelled(case["gold"]), spelled(case["prediction"])
            cells = (
                case["id"],
                gold,
                prediction,
                ACCEPTED[they],
                ACCEPTED[we],
                case["why"].replace("|", "\\|"),
            )
            lines[case["id"]] = f"| {' | '.join(cells)} |"
    return lines


def spelled(text: str) -> str:
    """The text as code in a cell of a table."""
    shown = text.replace("\n", "⏎").replace("|", "\\|")
    if len(shown) > 90:
        shown = f"{shown[:60]} … {shown[-20:]}"
    return f"`` {shown} ``" if "`" in shown else f"`{shown}`" if shown.strip() else "(empty)"


def written() -> dict[str, str]:
    """The lines that the page has."""
    table = PAGE.read_text(encoding="utf-8").partition(MARK)[2]
    lines = [line for line in table.splitlines() if line.startswith("| ")][1:]
    return {line.split(" | ")[0].removeprefix("| "): line for line in lines if not line.startswith("| ---")}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true")
    lines = divergences()
    if parser.parse_args().check:
        differing = sorted(set(lines.items()) ^ set(written().items()))
        for _, line in differing:
            print(line)
        sys.exit(bool(differing))
    head, _, _ = PAGE.read_text(encoding="utf-8").partition(MARK)
    counted = f"\n{len(lines)} of {len(cases())} cases.\n"
    table = [
        "| Case | Gold | Prediction | Math-Verify | Ours | Why |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    PAGE.write_text("\n".join([head + MARK + counted, *table, *lines.values(), ""]), encoding="utf-8")


if __name__ == "__main__":
    main()
