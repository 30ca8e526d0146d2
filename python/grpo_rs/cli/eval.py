"""Evaluates a model on problems with known answers, and compares it with another, problem by problem."""

from __future__ import annotations

import argparse
import json
import math
import os
import typing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grpo_rs.cli.terminal import Terminal, shown
from grpo_rs.errors import InputError
from grpo_rs.math import Extract, PolicyName

if TYPE_CHECKING:
    from grpo_rs.train.eval_command import Evaluated, Report

EXAMPLE = """examples:
  grpo-rs eval runs/mine                                    the run's model, on what it held out
  grpo-rs eval runs/mine --samples 16 --temperature 0.6     avg@16, pass@k, maj@k
  grpo-rs eval runs/mine --data test.jsonl --against runs/mine/checkpoints/step-000000
  grpo-rs eval some/folder --data test.jsonl --gold-column answer --out results.jsonl
  grpo-rs eval other.gguf --data test.jsonl --against results.jsonl
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument(
        "model",
        metavar="MODEL",
        help="a run directory or a checkpoint in one; a model's folder, .gguf file, pkg://package/file.gguf, "
        "hub id, or tiny; or a file of results (.jsonl)",
    )
    add = parser.add_argument
    add("--against", metavar="MODEL", help="another model, or a file of results, to compare with")
    add(
        "--data",
        metavar="FILE",
        help="problems: .jsonl, .parquet, or a data set (default: what the run held out)",
    )
    add("--split", metavar="NAME", help="split of a data set (default: test)")
    add("--prompt-column", metavar="COLUMN", help="the prompt (default: the run's, or prompt)")
    add("--gold-column", metavar="COLUMN", help="the reference answer (default: the run's, or answer)")
    add("--system", metavar="TEXT", help="system message before each prompt")
    add("--template", metavar="TEXT", help="text around each prompt, with {question} where it goes")
    add("--chat", choices=("auto", "always", "never"), help="apply the tokenizer's chat template")
    add("--max-prompts", metavar="N", type=_positive, help="evaluate on the first N problems only")
    add("--samples", metavar="N", type=_positive, help="completions of a problem (default: 1, greedy)")
    add("--temperature", metavar="T", type=float, help="default: 0 for one sample, else 1")
    add("--top-k", metavar="K", type=int, default=0, help="draw among the K most probable tokens")
    add("--top-p", metavar="P", type=float, default=1.0, help="draw among the fewest tokens of probability P")
    add(
        "--min-p",
        metavar="P",
        type=float,
        default=0.0,
        help="leave out tokens less probable than P of the best",
    )
    add("--max-new-tokens", metavar="N", type=_positive, help="length limit (default: the run's, or 512)")
    add("--seed", metavar="N", type=_count, help="of the completions (default: the run's, or 0)")
    add("--extract", choices=typing.get_args(Extract), help="where the answer is looked for")
    add("--policy", choices=typing.get_args(PolicyName), help="what counts as equal")
    add("--batch-size", metavar="N", type=_positive, help="completions generated at once (default: 512)")
    add("--device", metavar="NAME", help="auto, cpu, cuda, cuda:1, mps")
    add("--dtype", choices=("float32", "bfloat16"), help="number type of the weights")
    add(
        "--out", metavar="FILE.jsonl", type=Path, help="write every answer with its verdict, a problem a line"
    )
    add("--json", action="store_true", help="print one JSON object as the last line")
    add("--show", metavar="N", type=_count, default=5, help="how many wrong answers to list (default: 5)")


def run(terminal: Terminal, options: argparse.Namespace) -> int:
    """Evaluates and prints what was found; returns the exit status.

    Raises:
        InputError: something cannot be used, or the trainer's packages are not installed.
    """
    # One progress line is enough: those of loading are switched off before they are imported.
    os.environ.setdefault("TQDM_DISABLE", "1")
    given = dict(vars(options))
    as_json, show, out = given.pop("json"), given.pop("show"), given["out"]
    del given["command"]
    if out is not None:
        read = (options.data, options.against, options.model)
        if out.resolve() in [Path(name).resolve() for name in read if name is not None]:
            raise InputError(f"--out {out} is a file that is read: name another")
        if not out.parent.is_dir():
            raise InputError(f"--out {out}: there is no folder {out.parent}: make it first")
    try:
        from grpo_rs.train.eval_command import EvalOptions
        from grpo_rs.train.eval_command import run as evaluate
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("grpo_rs"):
            raise
        raise InputError(
            f"evaluating a model needs the package {error.name}: pip install 'grpo_rs[train]'"
        ) from None

    report = evaluate(EvalOptions(**given), lambda *state: _progress(terminal, *state))
    _print(terminal, report, show)
    if as_json:
        terminal.print(json.dumps(_finite(report.values()), ensure_ascii=False))
    return 0


def _progress(terminal: Terminal, name: str, done: int, total: int) -> None:
    if terminal.err.isatty():
        end = "\r\x1b[K" if done == total else ""
        terminal.err.write(f"\r\x1b[K{name}: {done} of {total} problems{end}")
        terminal.err.flush()


def _print(terminal: Terminal, report: Report, show: int) -> None:
    _print_one(terminal, report.model, show)
    if report.against is not None and report.comparison is not None:
        terminal.print()
        _print_one(terminal, report.against, 0)
        found = report.comparison
        terminal.print(
            f"\n{report.against.name} -> {report.model.name}\n{found}\n"
            f"won {found.won}, lost {found.lost}, as good on {found.problems - found.won - found.lost}: "
            f"{found.verdict(report.against.name, report.model.name)}"
        )


def _print_one(terminal: Terminal, model: Evaluated, show: int) -> None:
    found, asked = model.evaluation, model.settings
    many = "one completion" if found.samples == 1 else f"{found.samples} completions"
    terminal.print(f"{model.name}: {found.count} problems, {many} each")
    if asked:
        drawn = "greedy" if asked["temperature"] == 0 else f"temperature {asked['temperature']:g}"
        terminal.print(
            f"{drawn}, at most {asked['max_new_tokens']} tokens; answers from {asked['extract']!r}, data: "
            f"{asked['data']}"
        )
    terminal.print()
    names = {"accuracy": "accuracy" if found.samples == 1 else f"avg@{found.samples}"}
    terminal.table(
        ("", "value", "std. error", "95 % interval"),
        [
            (
                names.get(name, name.replace("_at_", "@")),
                _percent(estimate.value),
                _percent(estimate.se),
                f"{_percent(estimate.low)} to {_percent(estimate.high)}",
            )
            for name, estimate in found.estimates().items()
        ],
    )
    terminal.print(f"\n{found.tokens_mean:.1f} tokens a completion, {_percent(found.truncated)} cut off")
    lost = found.not_scorable
    if lost:
        terminal.print(f"\nProblems not scorable, and not counted: {len(lost)}")
        for result in lost[: max(show, 1)]:
            terminal.print(f'  "{shown(result.question)}", gold "{shown(result.gold)}"')
    wrong = [result for result in found.scored if result.correct < len(result.answers)]
    if wrong and show:
        terminal.print(f"\nProblems with a wrong answer: {len(wrong)}, the first {min(show, len(wrong))}")
        for result in wrong[:show]:
            answer = next(one for one in result.answers if one.outcome.name != "CORRECT")
            said = "no answer" if answer.answer is None else f'"{shown(answer.answer)}"'
            terminal.print(
                f'  "{shown(result.question)}": {said}, gold "{shown(result.gold)}", {answer.outcome.name}'
            )


def _percent(share: float) -> str:
    return "-" if math.isnan(share) else f"{100 * share:.1f}%"


def _positive(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text)):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 on")
    return int(text)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 on")
    return int(text)


def _finite(values: Any) -> Any:
    """The same with null for NaN, which JSON has not."""
    if isinstance(values, dict):
        return {name: _finite(value) for name, value in values.items()}
    return None if isinstance(values, float) and not math.isfinite(values) else values
