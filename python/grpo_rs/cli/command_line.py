"""`grpo-rs verify math FILE`, `grpo-rs check math FILE`: options, and what becomes of errors.

Exit status: 0 done; 1 a check failed; 2 an error that the message says how to mend; 130 Ctrl-C; 141 nobody
reads the output any more.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
import typing
from collections.abc import Sequence
from pathlib import Path

from grpo_rs._core import __version__
from grpo_rs.cli import check, verify
from grpo_rs.cli.rows import GOLD_NAMES, PREDICTION_NAMES
from grpo_rs.cli.terminal import Terminal
from grpo_rs.errors import InputError
from grpo_rs.math import Extract, MathPolicy

POLICIES = {
    "default": MathPolicy,
    "math-verify": MathPolicy.math_verify,
    "string-match": MathPolicy.string_match,
}

VERIFY_EXAMPLE = """example:
  $ head -1 replies.jsonl
  {"answer": "1/2", "completion": "Half of it, so \\\\boxed{0.5}.", "expected": true}
  $ grpo-rs verify math replies.jsonl --expected expected --out verdicts.jsonl
"""

CHECK_EXAMPLE = """example:
  $ head -1 problems.jsonl
  {"question": "Half of 144?", "answer": "72"}
  $ grpo-rs check math problems.jsonl --gold answer
"""

EXAMPLES = """examples:
  grpo-rs verify math replies.jsonl     how many replies are right, and why the others are not
  grpo-rs check math problems.jsonl     is every gold of a data set read, told from its neighbours?
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line and returns its exit status."""
    options = _parser().parse_args(arguments)
    terminal = Terminal(sys.stdout, sys.stderr)
    try:
        status = _run(options, terminal)
        sys.stdout.flush()
    except BrokenPipeError:
        # `| head` has read enough. What is still buffered must not fail again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except (InputError, OSError) as error:
        terminal.error(str(error))
        return 2
    except KeyboardInterrupt:
        return 130
    return status


def _run(options: argparse.Namespace, terminal: Terminal) -> int:
    policy = _policy(options.policy, options.set)
    if options.command == "check":
        return check.run(terminal, options.file, gold=options.gold, policy=policy, show=options.show)
    return verify.run(
        terminal,
        options.file,
        gold=options.gold,
        prediction=options.pred,
        expected=options.expected,
        extract=options.extract,
        policy=policy,
        out=options.out,
        show=options.show,
    )


def _policy(name: str, settings: list[str]) -> MathPolicy:
    words: dict[str, bool | None] = {"true": True, "false": False, "none": None}
    fields = [field.name for field in dataclasses.fields(MathPolicy)]
    changes: dict[str, typing.Any] = {}
    for setting in settings:
        switch, equals, value = (part.strip() for part in setting.partition("="))
        switch = switch.replace("-", "_")
        if not equals or switch not in fields:
            raise InputError(f"--set {setting}: write NAME=VALUE, where NAME is one of {', '.join(fields)}")
        if value.lower() in words:
            changes[switch] = words[value.lower()]
        else:
            changes[switch] = int(value) if value.isascii() and value.isdigit() else value
    return dataclasses.replace(POLICIES[name](), **changes)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="grpo-rs",
        description="Verifies the answers of models.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"grpo-rs {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    verify_math = _subject(commands, "verify", "judge predictions", VERIFY_EXAMPLE)
    _common(verify_math, "file of predictions with their golds")
    verify_math.add_argument(
        "--pred", metavar="COLUMN", help=f"the model's reply (default: {_either(PREDICTION_NAMES)})"
    )
    verify_math.add_argument(
        "--extract",
        choices=typing.get_args(Extract),
        default="auto",
        help="where the answer is looked for (default: auto)",
    )
    verify_math.add_argument(
        "--expected",
        metavar="COLUMN",
        help="labels or another grader's scores to compare with: true or 1, false, 0 or -1",
    )
    verify_math.add_argument(
        "--out", metavar="FILE.jsonl", type=Path, help="write each row with its verdict, in a key verdict"
    )

    check_math = _subject(commands, "check", "check the golds of a data set", CHECK_EXAMPLE)
    _common(check_math, "file of golds")
    return parser


def _subject(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, about: str, example: str
) -> argparse.ArgumentParser:
    # Programs and their tests are to be subjects beside maths.
    subjects = commands.add_parser(name, help=about).add_subparsers(
        dest="subject", metavar="SUBJECT", required=True
    )
    sentence = verify.__doc__ if name == "verify" else check.__doc__
    return subjects.add_parser(
        "math",
        help="free-form maths answers",
        description=sentence,
        epilog=example,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def _common(parser: argparse.ArgumentParser, about: str) -> None:
    parser.add_argument("file", metavar="FILE.jsonl", help=f"{about}, a JSON object a line; - is stdin")
    parser.add_argument(
        "--gold",
        metavar="COLUMN",
        help=f"the reference answer (default: {_either(GOLD_NAMES)}); a.b is b in a",
    )
    parser.add_argument(
        "--policy", choices=POLICIES, default="default", help="what counts as equal (default: default)"
    )
    parser.add_argument(
        "--set",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="change one switch of the policy: --set rounding=6 --set units=require; may be repeated",
    )
    parser.add_argument(
        "--show", metavar="N", type=_count, default=10, help="how many rows to list (default: 10)"
    )


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 on")
    return int(text)


def _either(names: Sequence[str]) -> str:
    return "the first of " + ", ".join(names)
