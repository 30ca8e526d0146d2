"""The audit before the first step: what silently ruins a run is looked for on real samples, in seconds.

A few prompts are sampled, and everything between the prompt and the loss is checked on them. Nothing that it
does changes the run: it has random numbers of its own, and puts the global random states back.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import torch

from grpo_rs.advantages import Advantages, GroupState
from grpo_rs.algo.advantages import PassRateTracker, compute_advantages
from grpo_rs.algo.knobs import GROUP_BASELINES, Algo
from grpo_rs.arrays import FloatArray
from grpo_rs.batch import Rollouts, Tokens
from grpo_rs.errors import InputError, ModelError
from grpo_rs.learner.learner import Learner
from grpo_rs.learner.lora import adapters_off, is_adapted
from grpo_rs.learner.memory import free_memory, held_bytes
from grpo_rs.learner.probe import TOLERANCE
from grpo_rs.math import Extract, verify_math
from grpo_rs.outcomes import MathOutcome
from grpo_rs.rewards import Completions, MathReward, step_rewards
from grpo_rs.rewards.stream import RewardPool
from grpo_rs.rollout.sampler import Completion, Finish, Sampler, SamplingParams, completion_seeds, gather
from grpo_rs.train.checkpoint import random_states, set_random_states
from grpo_rs.train.config import Config, DataConfig, judges_groups
from grpo_rs.train.data import Problem, uses_chat
from grpo_rs.train.log import megabytes
from grpo_rs.train.models import Policy
from grpo_rs.train.results import Evaluation
from grpo_rs.train.setup import MemoryPlan, Setup

# What is sampled: prompts, completions of each, and tokens of a completion, at most.
PROMPTS, MEMBERS, TOKENS = 4, 4, 64
# Problems whose golds the verifier is tried on.
GOLDS = 64
# The stream of random numbers of the audit; see `data` and `evaluate` for the others.
AUDIT_STREAM = 5
# Largest difference of a single log-probability, in nats, that rounding explains; `TOLERANCE` is the mean's.
LARGEST_GAP = {torch.float32: 0.05, torch.bfloat16: 2.0, torch.float16: 0.5}
# Share of golds that may be misjudged before the run is stopped: a few odd ones are the data's.
ODD_GOLDS = 0.1
# Temperatures that are tried to explain a gap.
TEMPERATURES = (0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.5, 2.0)
# How an answer is written, by where the verifier looks for it.
FORMS: dict[Extract, str] = {
    "auto": r"\boxed{%s}",
    "boxed": r"\boxed{%s}",
    "hash": "#### %s",
    "answer_tag": "<answer>%s</answer>",
    "phrase": "The answer is %s.",
    "last_number": "%s",
    "whole": "%s",
    "bold": "**%s**",
    "math_span": "$%s$",
}
MARKS: tuple[Extract, ...] = ("boxed", "hash", "answer_tag")


class Status(Enum):
    """How a check ended. FAIL stops the run."""

    PASS = "PASS"
    WARN = "WARN"
    FAIL = "FAIL"
    SKIP = "SKIP"


@dataclass(frozen=True)
class Check:
    """One line of the report.

    Attributes:
        name: what was looked at.
        status: how it ended.
        detail: what was measured.
        mend: what to do about it; empty where there is nothing to do.
    """

    name: str
    status: Status
    detail: str
    mend: str = ""

    def __str__(self) -> str:
        mend = f". {self.mend}" if self.mend else ""
        return f"{self.status.value}  {self.name}: {self.detail}{mend}"


@dataclass(frozen=True)
class AuditReport:
    """What the audit found.

    Attributes:
        checks: in order.
        seconds: wall time that it took.
    """

    checks: list[Check]
    seconds: float

    def lines(self) -> list[str]:
        """The report as it is printed."""
        counts = {status: sum(check.status is status for check in self.checks) for status in Status}
        found = ", ".join(f"{number} {status.value}" for status, number in counts.items() if number)
        return [f"step-0 audit: {found} ({self.seconds:.1f} s)", *(f"  {check}" for check in self.checks)]

    def values(self) -> list[dict[str, str]]:
        """As plain values, for JSON."""
        return [vars(check) | {"status": check.status.value} for check in self.checks]

    def raise_failed(self, run: Path) -> None:
        """Stops the run if a check failed.

        Args:
            run: its directory, with a checkpoint.

        Raises:
            ModelError: naming every check that failed, and what to do.
        """
        failed = [check for check in self.checks if check.status is Status.FAIL]
        if failed:
            told = "; ".join(f"{check.name}: {check.detail}. {check.mend}" for check in failed)
            # A run keeps its configuration, and most mends are in that.
            raise ModelError(
                f"the step-0 audit failed, so nothing was trained. {told.removesuffix('.')}. Then start a "
                f"new run; to keep the warm-up: --model.path {run}/checkpoints/step-000000 "
                "--warmup.max-steps 0"
            )


def audit(
    setup: Setup,
    sampler: Sampler,
    pool: RewardPool,
    config: Config,
    *,
    params: SamplingParams,
    evaluation: Evaluation,
    sampler_dtype: torch.dtype | None = None,
) -> AuditReport:
    """Checks, on real samples, everything between a prompt and the loss.

    Samples at most 16 completions of at most 64 tokens, and passes them through the learner once.

    Args:
        setup: of the run, its weights as they are before the first step.
        sampler: of the run.
        pool: of the run's rewards.
        config: of the run.
        params: by which the run draws completions.
        evaluation: of the untrained model, which is reported and not done again.
        sampler_dtype: number type of the sampler's weights, where it is not the learner's.
    """
    began = time.perf_counter()
    states = random_states()
    try:
        checks = _checks(setup, sampler, pool, config, params, sampler_dtype)
    finally:
        set_random_states(states)
    checks.append(_untrained(evaluation))
    return AuditReport(checks, time.perf_counter() - began)


def _checks(
    setup: Setup,
    sampler: Sampler,
    pool: RewardPool,
    config: Config,
    params: SamplingParams,
    sampler_dtype: torch.dtype | None,
) -> list[Check]:
    policy, learner = setup.policy, setup.learner
    asked = _spread(setup.problems.train, PROMPTS)
    params = replace(params, max_new_tokens=min(TOKENS, params.max_new_tokens))
    stream = int(np.random.SeedSequence((config.run.seed, AUDIT_STREAM)).generate_state(1, np.uint64)[0])
    seeds = completion_seeds(stream, np.arange(len(asked)), min(MEMBERS, config.rollout.group_size))
    prompts = [problem.tokens for problem in asked]
    completions = sorted(sampler.stream(prompts, seeds, params), key=lambda row: (row.group, row.member))
    ends = check_ends(completions, policy, params)
    checks = [check_prompts(asked, config.data, policy), check_turns(config.data, policy), ends]
    if ends.status is Status.FAIL:
        return checks  # The others need sound completions.
    rollouts = gather(prompts, np.arange(len(asked)), completions)
    texts = policy.decode(rollouts.completions)
    problems = [asked[group] for group in rollouts.group_ids]
    batch = Completions(
        texts,
        [problem.gold for problem in problems],
        [problem.text for problem in problems],
        [problem.columns for problem in problems],
    )
    cut = params.max_new_tokens < config.rollout.max_new_tokens and not rollouts.finished.all()
    golds = [problem.gold for problem in _spread(setup.problems.train, GOLDS)]
    return [
        *checks,
        check_trained_tokens(learner, rollouts),
        check_logprobs(learner, rollouts, sampler_dtype),
        check_golds(setup.verifier, golds, rewarded=config.rewards.math > 0),
        *check_rewards(setup, pool, config, batch, rollouts, cut=cut),
        check_advantages(config.algo, max(2, config.rollout.group_size)),
        check_memory(setup.memory, learner),
    ]


# ---- Prompts and the chat template ---------------------------------------------------------------------


def check_prompts(problems: Sequence[Problem], data: DataConfig, policy: Policy) -> Check:
    """Prompts begin with one BOS token at most, end as the template says, and decode to their text."""
    name, tokenizer = "prompts", policy.tokenizer
    bos = tokenizer.bos_token_id
    for problem in problems:
        if bos is not None and problem.tokens[:2] == [bos, bos]:
            return Check(
                name,
                Status.FAIL,
                f"a prompt begins with two {tokenizer.bos_token!r} tokens",
                "The data and the tokenizer add one each: take it out of the data, or of data.template",
            )
    if uses_chat(data, policy):
        opened = _generation_prompt(policy)
        if opened and not all(problem.text.endswith(opened) for problem in problems):
            return Check(
                name,
                Status.FAIL,
                f"a prompt does not end with the template's generation prompt {opened!r}",
                "The model would write the user's turn: mend the tokenizer's chat template",
            )
    for problem in problems:
        decoded = str(tokenizer.decode(problem.tokens, clean_up_tokenization_spaces=False))
        again = tokenizer.encode(decoded, add_special_tokens=False)
        if decoded != problem.text and decoded.removeprefix(tokenizer.bos_token or "") != problem.text:
            return Check(
                name,
                Status.WARN,
                f"a prompt decodes to another text than it was made of: {_difference(problem.text, decoded)}",
                "The tokenizer does not know all characters, or changes them",
            )
        if again != problem.tokens:
            return Check(
                name,
                Status.WARN,
                f"a prompt's text is encoded to {len(again)} tokens, and it has {len(problem.tokens)}",
                "The tokenizer cannot be inverted here; that is harmless unless texts are encoded again",
            )
    lacking = bos is not None and any(problem.tokens[0] != bos for problem in problems)
    if lacking and tokenizer.encode("a")[0] == bos:
        return Check(
            name,
            Status.WARN,
            f"the tokenizer begins texts with {tokenizer.bos_token!r}, and the prompts have none",
            "Put it into the chat template, if the model was trained with it",
        )
    kind = "chat template" if uses_chat(data, policy) else "plain text"
    return Check(name, Status.PASS, f"{len(problems)} prompts ({kind}) decode to their text and back")


def check_turns(data: DataConfig, policy: Policy) -> Check:
    """The token that ends the assistant's turn in the chat template ends a completion."""
    name, tokenizer = "end of turn", policy.tokenizer
    if not uses_chat(data, policy):
        return Check(name, Status.SKIP, "no chat template is used")
    reply = "Answer42"
    try:
        text = _apply(
            policy, [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": reply}], False
        )
    except Exception as error:  # a template is a program, and may refuse anything
        return Check(name, Status.WARN, f"the chat template cannot render a reply: {_first_line(error)}")
    ids = tokenizer.encode(text.rpartition(reply)[2], add_special_tokens=False)
    special = set(tokenizer.all_special_ids) | set(getattr(tokenizer, "added_tokens_decoder", {}))
    end = next((token for token in ids if token in special), None)
    stops = ", ".join(repr(tokenizer.convert_ids_to_tokens(token)) for token in policy.stop_tokens)
    if end is None:
        return Check(
            name,
            Status.WARN,
            f"the chat template ends a reply with no special token; completions end at {stops}",
        )
    written = tokenizer.convert_ids_to_tokens(end)
    if end not in policy.stop_tokens:
        return Check(
            name,
            Status.FAIL,
            f"the chat template ends a reply with {written!r}, and completions end only at {stops}",
            f"Every completion would run to its limit: add {end} to eos_token_id in the model's "
            "generation_config.json",
        )
    return Check(name, Status.PASS, f"the chat template ends a reply with {written!r}, and so do completions")


def _generation_prompt(policy: Policy) -> str:
    """What the template puts where the model goes on; nothing if that cannot be told."""
    messages = [{"role": "user", "content": "Hello"}]
    try:
        plain, opened = _apply(policy, messages, False), _apply(policy, messages, True)
    except Exception:  # see `check_turns`
        return ""
    return opened.removeprefix(plain) if opened.startswith(plain) else ""


def _apply(policy: Policy, messages: list[dict[str, str]], generate: bool) -> str:
    return str(policy.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=generate))


# ---- Samples --------------------------------------------------------------------------------------------


def check_ends(completions: Sequence[Completion], policy: Policy, params: SamplingParams) -> Check:
    """Completions end where their sampler says, and nowhere before."""
    name = "ends of completions"
    stops = set(policy.stop_tokens)
    for row in completions:
        tokens = row.tokens.tolist()
        inside = [place for place, token in enumerate(tokens[:-1]) if token in stops]
        problem = None
        if not tokens:
            problem = "has no token"
        elif len(row.logprobs) != len(tokens):
            problem = f"has {len(tokens)} tokens and {len(row.logprobs)} log-probabilities"
        elif len(tokens) > params.max_new_tokens:
            problem = f"has {len(tokens)} tokens, and the limit is {params.max_new_tokens}"
        elif inside:
            problem = (
                f"goes on after the stop token {tokens[inside[0]]}, at {inside[0]} of {len(tokens)} tokens"
            )
        elif row.finish is Finish.STOP_TOKEN and tokens[-1] not in stops:
            problem = f"is said to have ended with a stop token, and its last token is {tokens[-1]}"
        elif row.finish is Finish.LENGTH and tokens[-1] in stops:
            problem = "ends with a stop token, and is said to be cut off"
        elif row.finish is Finish.LENGTH and len(tokens) < params.max_new_tokens:
            problem = f"is said to be cut off at {params.max_new_tokens} tokens, and has {len(tokens)}"
        if problem:
            return Check(
                name,
                Status.FAIL,
                f"completion {row.member} of prompt {row.group} {problem}",
                f"The sampler must stop at the model's stop tokens, {sorted(stops)}, and report "
                "the lengths of what it drew",
            )
    ended = sum(row.finish is not Finish.LENGTH for row in completions)
    detail = (
        f"{ended} of {len(completions)} ended by themselves, the others at {params.max_new_tokens} tokens"
    )
    if policy.tokenizer.pad_token_id in stops:
        detail += "; the padding token is a stop token, and is counted once where it was drawn"
    return Check(name, Status.PASS, detail)


def check_trained_tokens(learner: Learner, rollouts: Rollouts) -> Check:
    """The learner's micro-batches train each token of each completion once, from the token before it."""
    name = "trained tokens"
    flat, offsets = rollouts.completions.flat, rollouts.completions.offsets
    plan = learner.plan(rollouts, np.arange(len(rollouts)))
    place_T = np.concatenate([batch.flat_T.numpy(force=True) for batch in plan])
    target_T = np.concatenate([batch.target_T.numpy(force=True) for batch in plan])
    before_T = np.concatenate(
        [batch.input_ids_BL.flatten()[batch.state_T].numpy(force=True) for batch in plan]
    )
    # The token before each one: the prompt's last before a completion's first.
    expected = np.concatenate([flat[:1], flat[:-1]])
    expected[offsets[:-1]] = [rollouts.prompts[group][-1] for group in rollouts.group_ids]
    wrong = None
    if not np.array_equal(np.sort(place_T), np.arange(len(flat))):
        wrong = f"{len(np.unique(place_T))} of {len(flat)} tokens are trained, {len(place_T)} in all"
    elif not np.array_equal(target_T, flat[place_T]):
        wrong = "a token that was not sampled is trained"
    elif not np.array_equal(before_T, expected[place_T]):
        wrong = "a token is predicted from another place than the token before it"
    if wrong:
        return Check(name, Status.FAIL, wrong, "Try learner.layout = padded, and report it as a bug")
    ends = int(rollouts.finished.sum())
    return Check(
        name,
        Status.PASS,
        f"each of {len(flat)} tokens once, from the one before it, {ends} ends of completions included "
        f"({learner.layout})",
    )


def check_logprobs(learner: Learner, rollouts: Rollouts, sampler_dtype: torch.dtype | None = None) -> Check:
    """Sampler and learner give the sampled tokens the same log-probabilities, up to rounding.

    Args:
        learner: its own.
        rollouts: the sampler's.
        sampler_dtype: see `audit`.
    """
    name = "sampler against learner"
    trainer_T = learner.logprobs(rollouts)
    gap_T = _gap(trainer_T, rollouts)
    mean, largest = float(gap_T.mean()), float(gap_T.max())
    # The coarser of the two says what rounding explains.
    dtypes = {learner.model.dtype, sampler_dtype or learner.model.dtype}
    dtype = max(dtypes, key=lambda dtype: TOLERANCE.get(dtype, 0.0))
    allowed, most = TOLERANCE.get(dtype, 1e-3), LARGEST_GAP.get(dtype, 0.05)
    detail = (
        f"|difference of log-probabilities| mean {mean:.1e}, largest {largest:.1e} nats, {len(gap_T)} tokens"
    )
    if mean <= allowed and largest <= most:
        return Check(name, Status.PASS, detail)
    return Check(
        name,
        Status.FAIL,
        f"{detail}; rounding of {str(dtype).removeprefix('torch.')} explains {allowed:g} and {most:g}",
        _cause(learner, rollouts, trainer_T, allowed),
    )


def _cause(learner: Learner, rollouts: Rollouts, trainer_T: FloatArray, allowed: float) -> str:
    """What probably makes sampler and learner differ, found by trying."""

    def explains(change: Callable[[], FloatArray]) -> bool:
        return bool(_gap(change(), rollouts).mean() <= allowed)

    if not np.isfinite(trainer_T).all():
        return "The learner's are not finite: the weights are broken, or overflow in this number type"
    if not np.array_equal(trainer_T, learner.logprobs(rollouts)):
        return "The learner's differ from pass to pass: dropout or another random layer is on"
    own = learner.temperature
    for temperature in TEMPERATURES:
        learner.temperature = temperature
        try:
            if temperature != own and explains(lambda: learner.logprobs(rollouts)):
                return (
                    f"They agree at temperature {temperature:g}: the sampler draws at that, and the learner "
                    f"divides by rollout.temperature = {own:g}"
                )
        finally:
            learner.temperature = own
    if is_adapted(learner.model):
        with adapters_off(learner.model):
            if explains(lambda: learner.logprobs(rollouts)):
                return "They agree without the adapters: the sampler's weights do not have them merged"
    if _gap(trainer_T, rollouts).mean() < 0.5:
        return (
            "Probably another number type or attention implementation in the sampler: give both the same "
            "(rollout.dtype, model.dtype)"
        )
    return (
        "Probably other weights: the sampler has a stale copy, another model, or other prompt tokens (a chat "
        "template applied twice, a second beginning-of-sequence token)"
    )


def _gap(trainer_T: FloatArray, rollouts: Rollouts) -> FloatArray:
    gap_T: FloatArray = np.abs(trainer_T - rollouts.policy_logprobs)
    return np.where(np.isfinite(gap_T), gap_T, np.inf)


# ---- Rewards and advantages -----------------------------------------------------------------------------


def check_golds(verifier: MathReward, golds: Sequence[str], *, rewarded: bool) -> Check:
    """The verifier accepts golds in the form that is asked for, and refuses them with other numbers."""
    name, form = "verifier", FORMS[verifier.extract]
    stated = _stated(golds)
    kept = [(gold, answer) for gold, answer in zip(golds, stated, strict=True) if answer]
    if not kept:
        return Check(name, Status.SKIP, "no gold has an answer")
    trials = [(gold, form % answer, True) for gold, answer in kept]
    trials += [(gold, form % perturbed(answer), False) for gold, answer in kept]
    verdicts = verifier.verdicts(
        Completions([text for _, text, _ in trials], [gold for gold, _, _ in trials])
    )
    right = verdicts.outcomes == MathOutcome.CORRECT
    wrong = [i for i, (_, _, accepted) in enumerate(trials) if right[i] != accepted]
    refused = sum(trials[i][2] for i in wrong)
    if not wrong:
        return Check(
            name,
            Status.PASS,
            f"{len(kept)} golds are accepted in the form {form % 'GOLD'!r}, and refused with another value",
        )
    gold, text, _ = trials[wrong[0]]
    failed = rewarded and max(refused, len(wrong) - refused) > ODD_GOLDS * len(kept)
    return Check(
        name,
        Status.FAIL if failed else Status.WARN,
        f"of {len(kept)} golds {refused} are refused as {form % '...'!r}, {len(wrong) - refused} accepted "
        f"with another value; gold {gold[:60]!r}, answer {text[:60]!r}: {verdicts.explain(wrong[0])}",
        "Set rewards.extract to the form that the prompt asks for, and look at the golds: grpo-rs check math",
    )


def _stated(golds: Sequence[str]) -> list[str]:
    """The answer that each gold states: a worked solution's is marked, of any other it is the whole."""
    marked = [verify_math(golds, golds, extract=mark) for mark in MARKS]
    return [
        next((answer for verdicts in marked if (answer := verdicts.answer(i))), gold).strip()
        for i, gold in enumerate(golds)
    ]


def perturbed(answer: str) -> str:
    """Another answer of the same form: every number one larger, else the next letter, else another word."""
    if re.search(r"\d", answer):
        return re.sub(r"\d+", lambda digits: str(int(digits[0]) + 1).zfill(len(digits[0])), answer)
    if len(answer) == 1 and answer.isascii() and answer.isalpha():
        return "a" if answer in "zZ" else chr(ord(answer) + 1)
    return "zebra" if answer.lower() != "zebra" else "gnu"


def check_rewards(
    setup: Setup,
    pool: RewardPool,
    config: Config,
    batch: Completions,
    rollouts: Rollouts,
    *,
    cut: bool,
) -> list[Check]:
    """Each reward returns a number a completion, and some group has different ones.

    Args:
        setup, pool, config: of the run.
        batch, rollouts: what was sampled.
        cut: completions were cut off before the run's own limit, so that their rewards say nothing.
    """
    name = "rewards"
    try:
        scored = pool.score(batch).scored
        if setup.process is not None:
            step_rewards(
                str(config.rewards.process), setup.process, batch, rollouts.completions, setup.policy.decode
            )
    except InputError as error:
        return [Check(name, Status.FAIL, _first_line(error), "Mend the reward function")]
    except Exception as error:
        # A bug of the user's own function: its traceback says more than a line.
        error.add_note("raised in the step-0 audit, which calls every reward once, on a few samples")
        raise
    means = ", ".join(f"{part} {_mean(values)}" for part, values in scored.parts.items())
    silent = [part for part, values in scored.parts.items() if np.isnan(values).all()]
    detail = f"one number a completion; means over {len(batch)} samples: {means}"
    first = Check(name, Status.PASS, detail)
    if silent:
        told = f"{' and '.join(silent)} could score none of {len(batch)} samples"
        first = Check(name, Status.WARN, told, "A completion without a score is not trained on")
    return [first, _live(config.algo, rollouts, scored.total, cut=cut)]


def _live(algo: Algo, rollouts: Rollouts, total: FloatArray, *, cut: bool) -> Check:
    name = "live groups"
    if not judges_groups(algo):
        return Check(
            name,
            Status.SKIP,
            f"with algo.baseline = {algo.baseline}, algo.transform = {algo.transform}, algo.kl_in = "
            f"{algo.kl_in} groups of equal rewards teach too",
        )
    groups = [total[rollouts.group_ids == group] for group in range(len(rollouts.prompts))]
    live = sum(len(np.unique(rewards[~np.isnan(rewards)])) > 1 for rewards in groups)
    detail = f"{live} of {len(groups)} groups of {len(total) // len(groups)} samples have different rewards"
    if not live and cut:
        return Check(
            name, Status.SKIP, f"{detail}; but they were cut off at {TOKENS} tokens, short of the run's"
        )
    if not live:
        return Check(
            name,
            Status.WARN,
            f"{detail}: every group has the same reward",
            "If groups/live stays at 0, nothing can be learnt from these prompts: take easier or harder "
            "ones, a larger rollout.group_size, or a warm-up",
        )
    return Check(name, Status.PASS, detail)


def check_advantages(algo: Algo, group_size: int) -> Check:
    """The only winner of a group has the largest advantage, above 0; equal rewards give no signal."""
    name = "advantages"
    unknown = {
        "a critic's values": algo.baseline == "critic",
        "sums of squared probabilities": algo.baseline == "optimal_token",
        "rewards of steps": algo.transform == "process",
        "a teacher": algo.transform == "distill",
    }
    for needed, is_needed in unknown.items():
        if is_needed:
            return Check(name, Status.SKIP, f"they depend on {needed}, which a made-up group has not")
    if algo.transform in ("pass_k_analytic", "pkpo") and algo.pass_k >= group_size:
        return Check(
            name,
            Status.WARN,
            f"algo.pass_k is {algo.pass_k}, of groups of {group_size}: every group has one reward",
            "Nothing can be learnt so: raise rollout.group_size, or lower algo.pass_k",
        )
    rows = 2 * group_size
    # A sum of tenths is where equal rewards in floating point first have a variance.
    rewards = np.array([1.0] + [0.0] * (group_size - 1) + [0.1] * group_size)
    tokens = Tokens.from_rows([[1, 2]] * rows)
    zeros_T = np.zeros(2 * rows)
    rollouts = Rollouts(
        prompts=Tokens.from_rows([[1], [2]]),
        prompt_index=np.arange(2),
        completions=tokens,
        group_ids=np.repeat(np.arange(2), group_size),
        sampler_logprobs=zeros_T.astype(np.float32),
        finished=np.ones(rows, np.bool_),
        rewards=rewards,
        components={"one": rewards, "other": rewards},
    )
    found = compute_advantages(
        algo,
        rollouts,
        old_logprobs=zeros_T,
        ref_logprobs=zeros_T,
        greedy_rewards=np.zeros(2),
        tracker=PassRateTracker(),
    )
    winner, others = float(found.values[0]), found.values[1:group_size]
    detail = f"a winner among {group_size} has {winner:+.3g}, the others {float(others.mean()):+.3g}"
    wrong = None
    if not (winner > 0 and winner > others.max()):
        wrong = "the winner's is not the largest, above 0"
    elif algo.baseline in GROUP_BASELINES and algo.transform == "none" and not (others < 0).all():
        wrong = "those of the others are not below 0"
    elif algo.baseline in GROUP_BASELINES and not _dead(algo, found, group_size):
        wrong = "a group whose rewards are all 0.1 has a signal"
    if wrong:
        return Check(name, Status.FAIL, f"{detail}: {wrong}", "Report it as a bug, with the knobs of [algo]")
    return Check(
        name,
        Status.PASS,
        f"{detail}; equal rewards give no signal" if algo.baseline in GROUP_BASELINES else detail,
    )


def _dead(algo: Algo, found: Advantages, group_size: int) -> bool:
    """Whether the second group carries no signal; whitening may shift one that is kept."""
    rows = slice(group_size, None)
    whitened = not algo.drops_equal_groups and ("whiten" in algo.scale or algo.transform == "per_reward")
    return (
        GroupState(int(found.states[1])) is GroupState.ZERO_VARIANCE
        and not (algo.drops_equal_groups and found.trainable[rows].any())
        and (whitened or not found.values[rows].any())
    )


# ---- Memory, and the untrained model --------------------------------------------------------------------


def check_memory(plan: MemoryPlan | None, learner: Learner) -> Check:
    """What an update is expected to take, beside what is free."""
    name, free = "memory", free_memory(learner.model.device)
    if plan is None:
        return Check(name, Status.SKIP, "the run was continued with the token budget that it had")
    peak = max(plan.estimate.total, plan.probe or 0)
    detail = f"an update takes {megabytes(plan.estimate.total)} MB by the estimate"
    if plan.probe is not None:
        detail += f", the probe step took {megabytes(plan.probe)} MB"
    if free is None:
        return Check(name, Status.SKIP, f"{detail}; this system does not tell how much is free")
    detail += f", and {megabytes(free)} MB are free"
    if peak - held_bytes(learner) > free:
        return Check(
            name,
            Status.WARN,
            detail,
            "Lower learner.token_budget, or set learner.gradient_checkpointing",
        )
    return Check(name, Status.PASS, detail)


def _untrained(evaluation: Evaluation) -> Check:
    name = "before training"
    told = f"held-out accuracy {evaluation.average} of {evaluation.count} problems"
    if lost := len(evaluation.not_scorable):
        told += f", {lost} not scorable"
    told += f", {evaluation.truncated:.0%} of completions cut off"
    if not evaluation.count:
        return Check(name, Status.WARN, told, "No held-out gold can be read: look at data.gold_column")
    if evaluation.truncated > 0.5:
        return Check(name, Status.WARN, told, "Raise rollout.max_new_tokens, if they are not endless")
    return Check(name, Status.PASS, told)


def _spread(problems: Sequence[Problem], count: int) -> list[Problem]:
    """So many problems, from all over the list."""
    places = np.linspace(0, len(problems) - 1, min(count, len(problems))).round().astype(int)
    return [problems[place] for place in places]


def _mean(values: FloatArray) -> str:
    scored = values[~np.isnan(values)]
    return f"{scored.mean():.3g}" if len(scored) else "not scorable"


def _difference(one: str, other: str) -> str:
    """Where two texts begin to differ."""
    place = next(
        (i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
    )
    begin = max(0, place - 10)
    return f"{one[begin : place + 10]!r} became {other[begin : place + 10]!r}"


def _first_line(error: Any) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
