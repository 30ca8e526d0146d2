"""What a run tells: metrics.jsonl, completions.jsonl, and the progress on the terminal."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

# Every metric of metrics.jsonl with its formula; `*` stands for a name. docs/metrics.md is made of this.
METRICS = {
    "step": "GRPO steps done, this one included",
    "epoch": "problems drawn so far / problems of the training set",
    "lr": "learning rate of the step",
    "reward/mean": "mean of the rewards of scorable completions",
    "reward/std": "standard deviation of the same (ddof 0)",
    "reward/*": "mean of one reward before weighting, over the completions it could score",
    "steps/reward": "mean of the rewards of steps, over the steps that could be scored",
    "steps/count": "mean number of steps of a completion, over the completions that could be scored",
    "accuracy": "completions judged CORRECT / completions whose gold can be read, as sampled",
    "outcome/*": "completions with that verdict / completions",
    "unscored": "completions without a reward / completions",
    "groups/live": "groups with at least two different rewards / groups sampled; only these are trained on. "
    "Rewards are those without `rewards.overlong_tokens`",
    "groups/zero_variance": "groups whose scored completions all have the same reward / groups",
    "groups/too_few": "groups with fewer than two scored completions / groups",
    "groups/sampled": "groups sampled, of which the other metrics of completions and rewards are taken",
    "groups/refills": "rounds of prompts after the first, in place of groups without a signal",
    "prompts/skipped": "prompts passed over since the step before, by rollout.drop_above and drop_below",
    "prompts/dropped": "problems of the training set that these leave out by now / problems",
    "completion/tokens_mean": "mean tokens of a completion, the end-of-sequence token included",
    "completion/truncated": "completions cut off at max_new_tokens / completions",
    "train/loss": "sum over trained tokens of weight * (multiplier * gate + kl_beta * KL - entropy_bonus * "
    "entropy), mean over the optimiser steps of the last epoch. Near 0 on the first optimiser step of a "
    "batch whatever the model does: read the reward instead",
    "train/grad_norm": "L2 norm of the gradient before clipping, mean over optimiser steps, last epoch",
    "train/optimiser_steps": "optimiser steps of an epoch",
    "train/entropy": "mean over trained tokens of the next-token distribution's entropy, nats, last epoch",
    "train/kl": "mean over trained tokens of the estimator `algo.kl` of the KL to the reference, in nats, "
    "last epoch; of k3: exp(ref - logp) - (ref - logp) - 1",
    "train/ratio": "mean over trained tokens of exp(logp - anchor) at the level `algo.ratio`, last "
    "epoch; 1 on the first optimiser step when the anchor is the old policy",
    "train/approx_kl": "mean over trained tokens of anchor - logp, last epoch: k1 from anchor to policy",
    "train/kept": "share of trained tokens that no mask and no correction drops, last epoch",
    "train/clip_low": "share of trained tokens with ratio < 1 - clip_low and advantage < 0, last epoch "
    "(gate cispo: ratio < weight_min)",
    "train/clip_high": "share of trained tokens with ratio > 1 + clip_high and advantage > 0, last epoch "
    "(gate cispo: ratio > weight_max)",
    "train/dual_clip": "share of trained tokens with ratio > dual_clip and advantage < 0, last epoch",
    "train/outside": "share of trained tokens outside the gate's band or trust region, last epoch",
    "train/phi": "mean over trained tokens of VESPO's weight, last epoch",
    "train/dropped": "share of trained tokens that Clip-Cov drops, last epoch",
    "train/penalised": "share of trained tokens that KL-Cov penalises, last epoch",
    "train/correction_weight": "mean over trained tokens of the correction's weight, last epoch",
    "train/correction_outside": "share of trained tokens whose ratio or divergence to the sampler is outside "
    "the correction's bounds, last epoch",
    "train/correction_stat": "mean over trained tokens of what is held against those bounds, last epoch",
    "train/opsm": "share of trained tokens that off-policy sequence masking drops, last epoch",
    "train/entropy_kept": "share of trained tokens within algo.entropy_top, last epoch",
    "train/influence": "mean over trained tokens of FIPO's weight, last epoch",
    "train/sampler_gap": "mean over tokens of |logp of the learner - logp of the sampler| before the "
    "update, in nats; far above rounding means that the two do not agree on the policy",
    "train/sampler_gap_max": "largest such difference",
    "train/sampler_kl": "mean over the same tokens of -d, d = logp of the learner - logp of the sampler: the "
    "k1 estimate of KL(sampler || learner), nats",
    "train/sampler_k3": "mean over tokens of exp(d) - d - 1: the k3 estimate of the same",
    "train/sampler_ess_token": "effective sample size (sum w)^2 / (n sum w^2) of w = exp(d) over n tokens; 1 "
    "where the two agree",
    "train/sampler_ess_sequence": "the same over completions, of w = exp(sum of d)",
    "staleness/mean": "mean over trained completions of optimiser updates (GRPO steps) between the weights "
    "that drew them and those that are updated",
    "staleness/max": "largest such number; at most rollout.ahead",
    "train/rows": "completions trained on: those that may have a gradient",
    "train/tokens": "their completion tokens, per epoch",
    "train/forward_tokens": "tokens fed to the model per epoch, prompts and padding included",
    "train/padding_tokens": "of those, padding",
    "train/micro_batches": "forward passes with a gradient per epoch",
    "critic/loss": "mean over tokens of max((v - R)^2, (v clipped around its old value - R)^2) / 2, last "
    "epoch, mean over the critic's optimiser steps",
    "critic/clip": "share of tokens with |v - old v| > value_clip, last epoch",
    "critic/grad_norm": "L2 norm of the critic's gradient before clipping, last epoch, mean over its steps",
    "critic/value": "mean value of a token before the update",
    "critic/return": "mean return of a token, which its value should have been",
    "critic/explained_variance": "1 - Var(return - value before the update) / Var(return), over tokens",
    "tokens/generated": "completion tokens sampled for the step: the sum of all other tokens/*",
    "tokens/trained": "tokens of completions that counted in the update; during algo.critic_warmup_steps "
    "of those that would have, had the policy not rested",
    "tokens/truncated": "of completions cut off at max_new_tokens that algo.overlong_filter leaves out",
    "tokens/filtered": "of completions not in rollout.subset, or in groups that rollout.oversample or a "
    "refill sampled beyond prompts_per_step",
    "tokens/dead": "of groups without a learning signal, whether they are dropped or kept with advantage 0",
    "tokens/unscored": "of completions without a reward",
    "tokens/stale": "of completions drawn more than rollout.ahead steps ago, which are dropped. A completion "
    "to which several of these apply is counted in the one that is named last",
    "tokens/baseline": "of greedy completions, for the baseline greedy",
    "waste/tokens": "share of tokens/generated that is neither trained nor baseline",
    "waste/*": "tokens of that fate / tokens/generated",
    "waste/padding": "train/padding_tokens / train/forward_tokens",
    "time/sampling": "wall seconds in which the step's completions were sampled, in the background or not; "
    "those of the baseline greedy aside",
    "time/wasted": "time/sampling * share of its tokens that are not trained on",
    "time/wasted_*": "time/sampling * share of its tokens with that fate; of padding: time/update * "
    "waste/padding",
    "tokens_per_s": "tokens/generated / time/step",
    "time/step": "wall seconds of the step, without evaluation and checkpoint",
    "time/*": "wall seconds of a phase: sync (of the sampler's weights), sample (sampling, or waiting for "
    "what is sampled ahead), score (waiting for rewards), logprobs, update",
    "rewards/*/failed": "completions that a reward could not score because it raised",
    "rewards/*/timed_out": "completions that it could not score because it did not answer in "
    "rewards.deadline_s",
    "time/rewards_waited": "wall seconds that the step waited for rewards after sampling had ended",
    "time/reward/*": "seconds in the calls of a reward, parallel ones counted each",
    "sync/logp_gap_mean": "after the weights were handed to the sampler: mean over a fixed text of "
    "|logp of the learner - logp of the sampler|, nats",
    "sync/logp_gap_max": "largest such difference",
    "eval/accuracy": "mean over scorable held-out problems of correct completions / completions, after this "
    "step: greedy accuracy, or with several completions avg@`eval.samples`",
    "eval/low": "lower end of its 95 % interval: Wilson's, with v (1 - v) / se^2 trials",
    "eval/high": "upper end of it",
    "eval/pass_at_*": "mean over the same problems of 1 - C(n - c, k) / C(n, k), c of n completions being "
    "correct; k is 2, 4, 8, ... up to n",
    "eval/maj_at_*": "mean over the same problems of the probability that the right answer has most votes of "
    "k completions drawn from the n without replacement; a tie is split evenly, answers that the verifier "
    "takes for equal are one, and no answer is no vote",
    "eval/tokens_mean": "mean tokens of those completions",
    "eval/truncated": "those cut off at max_new_tokens / all of them",
}


def describe_metric(name: str) -> str | None:
    """The formula of a metric; None if it is not documented."""
    families = [known for known in METRICS if "*" in known and fnmatchcase(name, known)]
    return METRICS.get(name) or (METRICS[max(families, key=len)] if families else None)


def json_value(value: Any) -> Any:
    """The value with every number that JSON cannot hold (NaN, infinity) as null."""
    if isinstance(value, Mapping):
        return {key: json_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_value(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


class LineFile:
    """A file of JSON lines, one object a line, each written at once."""

    def __init__(self, path: Path, size: int | None = None) -> None:
        self.path = path
        path.touch()
        if size is not None:
            # Lines after the checkpoint belong to steps that will be done again.
            with path.open("r+b") as file:
                file.truncate(size)

    def write(self, values: Mapping[str, Any]) -> None:
        """Appends one object; numbers that JSON cannot hold become null."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(json_value(values), ensure_ascii=False, allow_nan=False) + "\n")


class Phases:
    """Wall seconds by phase. Phases may nest: an inner one's time is not the outer one's.

    Args:
        totals: seconds so far, added to in place.
        begin: `time.perf_counter()` at which the wall clock of this session began.
    """

    def __init__(self, totals: dict[str, float], begin: float) -> None:
        self.totals = totals
        self.step: dict[str, float] = {}
        self._open: list[str] = []
        self._begin = begin
        self._mark = time.perf_counter()
        self._added = 0.0

    @contextmanager
    def measure(self, phase: str) -> Iterator[None]:
        """Adds the block's time to a phase."""
        self._settle()
        self._open.append(phase)
        try:
            yield
        finally:
            self._settle()
            self._open.pop()

    def _settle(self) -> None:
        now = time.perf_counter()
        if self._open:
            self.add(self._open[-1], now - self._mark)
        self._mark = now

    def finish(self) -> None:
        """Adds the time between phases as "other", so that the phases sum up to the wall time."""
        self.add("other", time.perf_counter() - self._begin - self._added)

    def add(self, phase: str, seconds: float) -> None:
        """Adds seconds to a phase."""
        self._added += seconds
        self.totals[phase] = self.totals.get(phase, 0.0) + seconds
        self.step[phase] = self.step.get(phase, 0.0) + seconds

    def shares(self) -> dict[str, float]:
        """Each phase's share of the time of all."""
        total = sum(self.totals.values()) or 1.0
        return {phase: seconds / total for phase, seconds in self.totals.items()}


class Display:
    """Progress on the terminal: a live bar, or a line now and then when it is not a terminal.

    Args:
        name: shown before the bar.
        steps: steps of the whole run.
        console: where to; logs and progress go to standard error, standard output is for data.
    """

    LINES = 20
    """Lines of a whole run when the output is not a terminal."""

    def __init__(self, name: str, steps: int, console: Console | None = None) -> None:
        self.console = console or Console(file=sys.stderr)
        self.steps = steps
        self.progress = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=None),
            TextColumn("{task.completed:.0f}/{task.total:.0f}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self.console,
            expand=True,
        )
        self.task = self.progress.add_task(name, total=steps)
        self.live: Live | None = None

    def note(self, text: str) -> None:
        """Prints a line above the bar."""
        self.console.print(text, highlight=False, soft_wrap=True)

    @contextmanager
    def running(self, begin: int) -> Iterator[None]:
        """Shows the bar while the block runs."""
        self.progress.reset(self.task, completed=begin)
        if not self.console.is_terminal:
            yield
            return
        with Live(self.progress, console=self.console, refresh_per_second=4, transient=True) as live:
            self.live = live
            try:
                yield
            finally:
                self.live = None

    def step(self, metrics: Mapping[str, Any], shares: Mapping[str, float]) -> None:
        """Shows a step's metrics."""
        step = int(metrics["step"])
        self.progress.update(self.task, completed=step)
        if self.live is not None:
            grid = Table.grid(expand=True)
            grid.add_row(self.progress)
            grid.add_row(_line(metrics, shares))
            self.live.update(grid)
        elif step == self.steps or step % max(1, self.steps // self.LINES) == 0:
            self.note(f"step {step:>{len(str(self.steps))}}/{self.steps}  {_line(metrics, shares)}")


def memory_line(memory: Mapping[str, Any]) -> str:
    """The estimated peak memory of an update by part, beside what was measured."""
    parts = ", ".join(f"{name.replace('_', ' ')} {megabytes(size)}" for name, size in memory["parts"].items())
    measured = [
        f"{megabytes(memory[key])} MB measured in {where}"
        for key, where in (("probe_step", "a probe step"), ("first_update", "the first update"))
        if memory[key] is not None
    ]
    return "; ".join(
        [f"Peak memory of an update: {megabytes(memory['estimate'])} MB estimated ({parts})", *measured]
    )


def megabytes(size: int) -> str:
    """Bytes as a number of MB (2^20)."""
    return f"{size / 2**20:,.0f}"


def percent(share: float | None) -> str:
    """A share as it is printed; "not scorable" where there is none."""
    return "not scorable" if share is None or math.isnan(share) else f"{share:.1%}"


def _line(metrics: Mapping[str, Any], shares: Mapping[str, float]) -> str:
    def shown(name: str, form: str) -> str:
        # A step without a live group trains nothing, so it has no such figure.
        return format(metrics[name], form) if name in metrics else "-"

    divergence = (
        f"KL {shown('train/kl', '.4f')}"
        if "train/kl" in metrics
        else f"entropy {shown('train/entropy', '.2f')}"
    )
    parts = [
        f"reward {metrics['reward/mean']:.3f}",
        f"accuracy {metrics['accuracy']:.2f}",
        divergence,
        f"grad {shown('train/grad_norm', '.2f')}",
        f"live {metrics['groups/live']:.0%}",
        f"waste {metrics['waste/tokens']:.0%}",
        *([f"refills {metrics['groups/refills']}"] if metrics["groups/refills"] else []),
        f"{metrics['tokens_per_s']:,.0f} tok/s",
        " ".join(f"{phase} {share:.0%}" for phase, share in shares.items() if share >= 0.005),
    ]
    return "  ".join(parts)
