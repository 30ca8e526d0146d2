"""`python -m grpo_rs.train [FILE.toml] [--section.key value ...] [--resume] [--dry-run]`.

Exit status: 0 done (or stopped where `run.stop_after` says), 2 an error that the message says how to mend,
128 + n stopped by signal n after saving (130 Ctrl-C, 143 SIGTERM).
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

from grpo_rs.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

    from grpo_rs.train.config import CommandLine, Config
    from grpo_rs.train.loop import TrainingResult


class StopRequest:
    """Turns the first Ctrl-C or SIGTERM into a request to save and stop; a second Ctrl-C is immediate."""

    def __init__(self) -> None:
        self.signal: int | None = None

    def __call__(self) -> bool:
        return self.signal is not None

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Installs the handlers for the block, and the former ones after it."""
        former = {number: signal.signal(number, self._note) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in former.items():
                signal.signal(number, handler)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if self.signal is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.signal = number
        print(
            f"\n{signal.Signals(number).name}: saving after this phase. Ctrl-C again to leave at once",
            file=sys.stderr,
        )


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line and returns its exit status."""
    started = time.perf_counter()
    try:
        from grpo_rs.train.config import parse_command_line

        command = parse_command_line(sys.argv[1:] if arguments is None else arguments)
        return _run(command, started)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("grpo_rs"):
            raise
        print(f"error: {error.name} is not installed: pip install 'grpo_rs[train]'", file=sys.stderr)
        return 2


def _run(command: CommandLine, started: float) -> int:
    from rich.console import Console

    # One progress bar is enough: those of loading and saving are switched off before they are imported.
    os.environ.setdefault("TQDM_DISABLE", "1")
    config = command.resolved()
    console = Console(soft_wrap=True, highlight=False)
    if command.dry_run:
        _dry_run(config, console)
        return 0
    # torch takes seconds to import: only once the command line is known to be right.
    from grpo_rs.train.loop import train

    stop = StopRequest()
    with stop.listening():
        result = train(config, resume=command.resume, should_stop=stop, started=started)
    if result.summary is None:
        words = " ".join(["python -m grpo_rs.train", *([str(command.config)] if command.config else [])])
        console.print(
            f"Stopped; what was done is in {result.path}. Continue with: {words} [the same options] "
            f"--run.out {result.path} --resume",
            markup=False,
        )
        return 128 + stop.signal if stop.signal is not None else 0
    _print_summary(result, console)
    return 0


def _dry_run(config: Config, console: Console) -> None:
    from grpo_rs.train.log import memory_line
    from grpo_rs.train.setup import prepare

    console.print_json(json.dumps(config.model_dump(mode="json")))
    setup = prepare(config)
    assert setup.memory is not None
    for line in config.algo.describe():
        console.print(line, markup=False)
    for note in [*config.algo.notes(), *setup.notes]:
        console.print(f"note: {note}", markup=False)
    parameters = sum(p.numel() for p in setup.policy.model.parameters())
    console.print(
        f"{len(setup.problems.train)} problems to train on, {len(setup.problems.held_out)} held out; every "
        f"gold was read and every prompt fits.\n{parameters:,} parameters, layout {setup.learner.layout}, "
        f"token budget {setup.learner.token_budget:,}.\n{memory_line(setup.memory.beside())}.",
        markup=False,
    )


def _print_summary(result: TrainingResult, console: Console) -> None:
    summary = result.summary
    assert summary is not None
    shares = ", ".join(
        f"{phase} {part['share']:.0%}" for phase, part in summary["phases"].items() if part["share"] >= 0.005
    )
    examples = "\n".join(
        f"  {example['prompt'].strip()[-60:]!r} -> {example['completion'].strip()[:60]!r} "
        f"({'correct' if example['correct'] else 'wrong'})"
        for example in summary["examples"]
    )
    samples = summary["evaluation"]["samples"]
    measure = "greedy accuracy" if samples == 1 else f"avg@{samples}"
    change = "not scorable" if summary["comparison"] is None else summary["comparison"]["text"]
    console.print(
        f"\nHeld-out {measure}, before and after {summary['steps']} steps of GRPO: {change}\n{examples}\n"
        f"{summary['wall_s']:.0f} s: {shares}; {summary['generated_tokens']:,} tokens generated, "
        f"{summary['trained_tokens']:,} trained on\n"
        f"Run directory: {result.path} (metrics.jsonl, completions.jsonl, summary.json, checkpoints)\n"
        f"Use the model:\n"
        f"  from transformers import AutoModelForCausalLM, AutoTokenizer\n"
        f'  model = AutoModelForCausalLM.from_pretrained("{summary["model"]}")\n'
        f'  tokenizer = AutoTokenizer.from_pretrained("{summary["model"]}")',
        markup=False,
    )


if __name__ == "__main__":
    sys.exit(main())
