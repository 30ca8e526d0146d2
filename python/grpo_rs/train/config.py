"""The configuration of a run: typed, from TOML plus dotted overrides. Unknown keys are refused.

Every field's docstring is its help text (`--help`) and its entry in docs/config.md.
"""

from __future__ import annotations

import difflib
import string
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import tyro
from pydantic import BaseModel, Field, PositiveInt, ValidationError

from grpo_rs.algo.aliases import is_alias
from grpo_rs.algo.knobs import GROUP_BASELINES, Algo
from grpo_rs.errors import ConfigError
from grpo_rs.math import Extract, PolicyName
from grpo_rs.rewards.format import FormatStyle
from grpo_rs.rollout.sampler import SamplingParams
from grpo_rs.section import Section

Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]
ModelT = TypeVar("ModelT", bound=BaseModel)


class ModelConfig(Section):
    """The policy to train."""

    path: str = "tiny"
    """"tiny" (embedded, random weights), a local folder, a `.gguf` file, `pkg://package/file.gguf`
    for a file inside an installed Python package, or a hub id."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Number type of the weights, the gradients and the forward pass; see `optim.master_weights`."""
    device: str = "auto"
    """"auto" (CUDA if there is a GPU, else the CPU), "cpu", "cuda", "cuda:1", "mps"."""
    lora_rank: Count = 0
    """Rank of LoRA adapters; then only they are trained, at about ten times the learning rate. 0 trains
    the weights themselves."""
    lora_alpha: PositiveInt | None = None
    """Scale of the adapters is lora_alpha / lora_rank; twice the rank by default."""
    lora_targets: str | tuple[str, ...] = "all-linear"
    """Layers that get adapters: all linear ones but the head, or their names."""
    teacher: str | None = None
    """Frozen teacher of the transform "distill", in the forms of `path`, with the policy's tokenizer."""


class DataConfig(Section):
    """Problems: generated ones (`task`), or files with named columns (`train`)."""

    task: Literal["addition"] | None = "addition"
    """Problems that the project generates; ignored once `train` is given."""
    digits: Annotated[int, Field(ge=1, le=4)] = 2
    """Digits of the numbers of the addition task."""
    question: str = "{a:02d}+{b:02d}="
    """Prompt of the addition task, a format string over `a` and `b`."""
    solution: str = "{units:02d} {answer:03d}"
    """Completion of the addition task that the supervised warm-up imitates, a format string over `a`, `b`,
    `answer` and `units`, the sum of the last digits: the working, then the answer."""
    train: str | None = None
    """Training problems: a `.jsonl` or `.parquet` file, or a data set for the `datasets` library."""
    eval: str | None = None
    """Held-out problems, in the same form; without it `held_out` problems are split off `train`."""
    split: str = "train"
    """Split to take when `train` is a data set for the `datasets` library."""
    eval_split: str = "test"
    """Split to take when `eval` is one."""
    subset: str | None = None
    """Configuration name of such a data set, if it has several."""
    prompt_column: str = "prompt"
    """Column with the prompt: a string, or a list of chat messages."""
    gold_column: str = "answer"
    """Column with the reference answer."""
    solution_column: str | None = None
    """Column with a completion to imitate in the supervised warm-up, if there is one."""
    system: str | None = None
    """System message put before a prompt that is a string; needs a chat template."""
    chat: Literal["auto", "always", "never"] = "auto"
    """Apply the tokenizer's chat template: when it has one, always, or never."""
    template: str | None = None
    """Text around a prompt that is a string, for a base model without a chat template: a format string with
    `{question}` where the prompt goes; `{{` and `}}` stand for braces."""
    held_out: PositiveInt = 512
    """Problems split off for evaluation; their prompts are never trained on."""


class RolloutConfig(Section):
    """Sampling, and which of the completions are trained on."""

    engine: Literal["torch", "transformers_cb", "vllm", "vllm_server"] = "torch"
    """What generates: the built-in engine, transformers' continuous batching, vLLM in this process, or a
    vLLM server; all but the first need their packages."""
    prompts_per_step: PositiveInt = 32
    """Prompts of a step, a group of completions each."""
    group_size: PositiveInt = 8
    """Completions of a prompt; at least 2, or there is nothing to be relative to."""
    max_new_tokens: PositiveInt = 7
    """Length limit of a completion."""
    temperature: Positive = 1.0
    """Divides the logits, in sampling and in training alike."""
    top_k: Count = 0
    """Draw among that many most probable tokens; 0 for all."""
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Draw among the fewest most probable tokens whose probabilities sum up to this; 1 for all."""
    min_p: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Draw among tokens at least this share as probable as the most probable one; 0 for all."""
    stop: tuple[str, ...] = ()
    """Texts that end a completion, beside the model's end tokens; the token that completes one is kept."""
    slots: Count = 0
    """Completions decoded at once by the engines "torch" and "transformers_cb"; 0 leaves it to them."""
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    """Number type of the weights that sample. Another one than `model.dtype` takes a copy of the weights,
    which is made anew every step; "auto" is that of the model."""
    server_url: str | None = None
    """Address of the server of the engine "vllm_server"."""
    ahead: Annotated[int, Field(ge=0, le=1)] = 0
    """1 samples the next step's completions while this step updates, on a copy of the weights: they are one
    step old when they are trained on."""
    max_refills: Count = 0
    """Dynamic sampling: rounds in which groups without a learning signal are replaced by groups of the next
    prompts; if some are missing after the last, the step is that much smaller. 0 only leaves them out."""
    oversample: Annotated[float, Field(ge=1)] = 1.0
    """Prompts sampled at once, per prompt that the step still lacks; the first ones with a learning signal
    are trained on, by their order, and what is left over is dropped."""
    subset: Count = 0
    """Completions of a group that are trained on: those whose rewards spread most (PODS). 0 takes all."""
    subset_statistics: Literal["subset", "group"] = "subset"
    """Means and standard deviations of advantages are those of the subset, as in PODS, or of all completions
    of the group."""
    drop_above: float | None = None
    """Prompts whose mean reward so far (before `rewards.overlong_tokens`) is at least this are not sampled
    again: 0.9 is ScaleRL's no-positive-resampling. A run that has no prompt left ends there, as after its
    last step; it can be resumed with other bounds."""
    drop_below: float | None = None
    """Prompts whose mean reward so far is at most this are not sampled again, even if the model has become
    able to solve them: 0 drops what never earned anything."""

    @property
    def dynamic(self) -> bool:
        """Whether groups without a learning signal are made up for by others."""
        return self.max_refills > 0 or self.oversample > 1

    def params(self, temperature: float | None = None) -> SamplingParams:
        """How completions are drawn: for training, or at another temperature."""
        return SamplingParams(
            max_new_tokens=self.max_new_tokens,
            temperature=self.temperature if temperature is None else temperature,
            top_k=self.top_k,
            top_p=self.top_p,
            min_p=self.min_p,
            stop=self.stop,
        )


class RewardConfig(Section):
    """Weights of the rewards that are summed; 0 leaves one out."""

    math: NonNegative = 1.0
    """Weight of the verifier: 1 for a correct answer, 0 for a wrong one."""
    extract: Extract = "auto"
    """Where the verifier finds the answer in a completion; also used by the evaluation. For the generated
    sums "auto" is "last_number"."""
    policy: PolicyName = "default"
    """What the verifier takes for equal where mathematics does not say: the project's choices, Math-Verify's,
    or equal text alone; also used by the evaluation. See docs/policy.md."""
    format: NonNegative = 0.0
    """Weight of the format reward: 1 when the completion has exactly one answer in `format_style`."""
    format_style: FormatStyle = "boxed"
    """The form that the format reward asks for. "think_answer" is DeepSeek-R1's: reasoning, then
    the answer, each in its tags, and nothing outside; see `grpo_rs.rewards.FormatReward`."""
    overlong_tokens: Count = 0
    """Soft punishment of length (DAPO): over this many tokens before `rollout.max_new_tokens` it grows from 0
    to `overlong`. Whether a group has a learning signal is judged without it. 0 switches it off."""
    overlong: NonNegative = 1.0
    """The largest punishment, subtracted from the reward."""
    deadline_s: Positive = 60.0
    """Seconds in which a completion must be scored by your own rewards; one that is not is left out."""
    custom: dict[str, float] = Field(default_factory=dict)
    """Your own rewards, "module:function" = weight; see `grpo_rs.rewards.Reward`."""
    process: str | None = None
    """Your own reward of steps, "module:function", for `algo.transform` "process"; see
    `grpo_rs.rewards.ProcessReward`. The other rewards are then only logged."""


class OptimConfig(Section):
    """AdamW and its learning rate."""

    lr: Positive = 5e-4
    """Peak learning rate."""
    warmup_steps: Count = 0
    """Steps over which the learning rate rises from 0."""
    warmup_ratio: Share = 0.0
    """The same as a share of `run.steps`; give one of the two."""
    schedule: Literal["constant", "linear", "cosine"] = "linear"
    """How the learning rate goes from its peak to `final_fraction` of it at the last step."""
    final_fraction: Share = 0.05
    """The last step's learning rate as a share of the peak."""
    betas: tuple[Share, Share] = (0.9, 0.95)
    """AdamW's decay rates."""
    epsilon: Positive = 1e-8
    """Added to AdamW's denominator."""
    weight_decay: NonNegative = 0.0
    """AdamW's decoupled weight decay."""
    decay_on: Literal["matrices", "all"] = "matrices"
    """Parameters that decay: those of two dimensions and more, without norms and biases, or all."""
    max_grad_norm: NonNegative = 1.0
    """Gradients are scaled down to this norm; 0 switches that off."""
    master_weights: Literal["float32", "none"] = "float32"
    """Copy of bfloat16 weights that the optimiser steps in float32: a step smaller than a weight's
    last bit is lost otherwise. Weights of float32 need none."""


class LearnerConfig(Section):
    """How an update is computed; none of it changes the result beyond rounding."""

    layout: Literal["auto", "shared_prefix", "padded"] = "auto"
    """Each prompt once with its completions behind it, or one padded row a completion. "auto" tries
    the first and checks it against the model's own log-probabilities."""
    token_budget: PositiveInt | Literal["auto"] = "auto"
    """Most tokens of one forward pass, padding included. "auto" estimates what fits into the free memory,
    and is kept when the run is resumed. Either is halved when memory runs out."""
    logprob_chunk_tokens: PositiveInt = 1024
    """Completion tokens per pass through the language-model head: bounds the memory of the logits."""
    head_float32: tyro.conf.FlagConversionOff[bool] = False
    """Run the language-model head in float32 whatever `model.dtype` is."""
    gradient_checkpointing: tyro.conf.FlagConversionOff[bool] = False
    """Recompute activations in the backward pass: less memory, about a third more time."""
    recompute_cheap: tyro.conf.FlagConversionOff[bool] = False
    """Recompute only activations that cost no matrix product: half of them, for some percent of time."""


class WarmupConfig(Section):
    """A supervised warm-up before GRPO, for a model that cannot yet earn any reward."""

    max_steps: Count | None = None
    """Most supervised steps; 0 skips the warm-up. By default 600 for the embedded tiny model on a
    generated task, and none otherwise."""
    target_accuracy: Share = 0.32
    """Stop once greedy accuracy on problems of the training set reaches this."""
    check_every: PositiveInt = 5
    """Steps between those checks."""
    batch_size: PositiveInt = 64
    """Solutions of a supervised step."""
    lr: Positive = 2e-3
    """Learning rate of the warm-up."""


class EvalConfig(Section):
    """Evaluation on held-out problems; always done before the first and after the last step."""

    every: Count = 0
    """Steps between evaluations on the way; 0 for none."""
    max_prompts: PositiveInt = 512
    """Most problems evaluated."""
    samples: PositiveInt = 1
    """Completions of a problem. One is greedy; more are drawn at `temperature`, and give avg@k, pass@k and
    maj@k."""
    temperature: Positive = 1.0
    """Temperature of several completions; top_k, top_p and min_p are those of `rollout`."""
    batch_size: PositiveInt = 512
    """Completions generated at once."""


class CheckpointConfig(Section):
    """Checkpoints, each written whole or not at all."""

    every: Count = 100
    """Steps between checkpoints; 0 writes them only at the start, at the end and at an interruption."""
    keep: PositiveInt = 2
    """Newest checkpoints kept."""


class RunConfig(Section):
    """The run as a whole."""

    out: str | None = None
    """Run directory; by default runs/NAME-DATE-TIME."""
    name: str = "addition"
    """Name of the run, for its default directory and the progress display."""
    steps: PositiveInt = 750
    """GRPO steps."""
    seed: Count = 0
    """Seed of everything random."""
    threads: Count = 0
    """CPU threads of torch; 0 leaves it to torch. Another number changes rounding, so resuming with
    one is refused."""
    completions_every: PositiveInt = 10
    """Steps between samples of completions in completions.jsonl."""
    completions_count: PositiveInt = 8
    """Completions in each sample."""
    stop_after: Count = 0
    """Stop, as if interrupted, once this many steps are done; 0 for never."""


class Config(Section):
    """Group Relative Policy Optimization with verifiable rewards.

    Without arguments: a tiny embedded model learns two-digit addition on the CPU, with no network, in
    under two minutes. Any value below can be set in a TOML file, or here as `--section.key value`.
    """

    model: ModelConfig = ModelConfig()
    data: DataConfig = DataConfig()
    rollout: RolloutConfig = RolloutConfig()
    rewards: RewardConfig = RewardConfig()
    algo: Algo = Algo()
    optim: OptimConfig = OptimConfig()
    learner: LearnerConfig = LearnerConfig()
    warmup: WarmupConfig = WarmupConfig()
    eval: EvalConfig = EvalConfig()
    checkpoint: CheckpointConfig = CheckpointConfig()
    run: RunConfig = RunConfig()

    def check(self) -> None:
        """Refuses values that contradict each other.

        Raises:
            ConfigError: naming them, and how to mend it.
        """
        if self.rollout.group_size < 2 and self.algo.baseline in GROUP_BASELINES:
            raise ConfigError(
                f"rollout.group_size is 1: the baseline {self.algo.baseline!r} compares answers to the same "
                "prompt, so set it to at least 2 (8 is usual), or take a preset with a critic"
            )
        if self.data.train is None and self.data.task is None:
            raise ConfigError(
                'there is nothing to train on: set data.train to a file, or data.task to "addition"'
            )
        if self.data.eval is not None and self.data.train is None:
            raise ConfigError("data.eval is given without data.train: give both, or neither")
        if not (self.rewards.math or self.rewards.format or any(self.rewards.custom.values())):
            raise ConfigError("every reward has weight 0: set rewards.math to 1")
        _check_template(self.data)
        if self.algo.transform in ("pass_k_analytic", "pkpo") and self.algo.pass_k >= self.rollout.group_size:
            raise ConfigError(
                f"algo.pass_k is {self.algo.pass_k} and rollout.group_size {self.rollout.group_size}: with "
                "one choice of k completions at most, all of a group are worth the same; lower algo.pass_k, "
                "or raise rollout.group_size"
            )
        weights = [self.rewards.math, self.rewards.format, *self.rewards.custom.values()]
        if self.algo.transform == "per_reward" and sum(map(bool, weights)) < 2:
            raise ConfigError(
                'algo.transform is "per_reward", which normalises each reward by itself, and only one has '
                "a weight: give another one, in rewards.format or rewards.custom"
            )
        if self.algo.baseline == "tracker" and self.rewards.math + self.rewards.format > 1:
            raise ConfigError(
                'algo.baseline is "tracker", a pass rate, which needs rewards from 0 to 1: scale the weights '
                "in [rewards] so that their sum is 1"
            )
        if self.optim.warmup_steps and self.optim.warmup_ratio:
            raise ConfigError("optim.warmup_steps and optim.warmup_ratio are both given: give one of them")
        if max(self.optim.betas) == 1:
            raise ConfigError("optim.betas has a 1, with which AdamW never learns: 0.9 and 0.95 are usual")
        if self.algo.needs_critic and self.algo.critic_warmup_steps >= self.run.steps:
            raise ConfigError(
                f"algo.critic_warmup_steps is {self.algo.critic_warmup_steps} of run.steps {self.run.steps}: "
                "the policy would never be trained; lower the one, or raise the other"
            )
        if self.algo.transform == "distill" and self.model.teacher is None:
            raise ConfigError('algo.transform is "distill": name the teacher in model.teacher')
        if self.algo.transform == "process":
            if self.rewards.process is None:
                raise ConfigError(
                    'algo.transform is "process": name your function that rewards the steps of completions '
                    'in rewards.process, "module:function"'
                )
        elif self.rewards.process is not None:
            raise ConfigError(
                f'rewards.process is given, but algo.transform is "{self.algo.transform}", which does not '
                'read rewards of steps: set algo.preset to "grpo_process", or leave rewards.process'
            )
        if self.algo.reference_every and not self.algo.needs_reference:
            raise ConfigError(
                "algo.reference_every is given without a KL term: set algo.kl_beta, or leave it"
            )
        _check_sampling(self)
        _check_selection(self)

    def notes(self) -> list[str]:
        """What is allowed and probably worth knowing; a sentence each."""
        found = []
        if self.rollout.params().truncates:
            found.append(
                "rollout.top_k, top_p or min_p keep tokens from being drawn, and the learner's probabilities "
                "are over all tokens: it is compared with the sampler as if there had been no limits. "
                "Completions that the limits exclude are never seen, so nothing teaches the policy about them"
            )
        if self.rollout.ahead and not (
            (self.algo.anchor in ("rollout", "proximal") and self.algo.uses_ratio)
            or self.algo.correction != "none"
        ):
            found.append(
                "rollout.ahead = 1 trains on completions of weights that are one step old, and nothing in "
                "this objective corrects for it: set algo.anchor to rollout, or algo.correction to truncate"
            )
        if self.rollout.dynamic and self.algo.scale == "live_share":
            found.append(
                "algo.scale = live_share makes up for groups without a signal, and dynamic sampling leaves "
                "none of them"
            )
        return found

    def warmup_steps(self) -> int:
        """Most steps of the supervised warm-up, the default of `warmup.max_steps` resolved."""
        if self.warmup.max_steps is not None:
            return self.warmup.max_steps
        return 600 if self.model.path == "tiny" and self.data.train is None else 0

    def answer_form(self) -> Extract:
        """Where the answer is looked for, with "auto" resolved for the generated sums.

        They end with their answer; "15 055" as a whole is a number with a thousands separator.
        """
        sums = self.data.task == "addition" and self.data.train is None
        return "last_number" if sums and self.rewards.extract == "auto" else self.rewards.extract


class CommandLine(Config):
    __doc__ = Config.__doc__

    config: tyro.conf.Positional[Path | None] = None
    """TOML file with the values that differ from the defaults."""
    resume: tyro.conf.FlagCreatePairsOff[bool] = False
    """Continue the run in `run.out` from its last checkpoint, bit for bit on a CPU."""
    dry_run: tyro.conf.FlagCreatePairsOff[bool] = False
    """Check everything, print the resolved configuration and a memory estimate, try the largest forward
    and backward pass, and stop."""

    def resolved(self) -> Config:
        """The configuration without the words of the command line."""
        return Config(**{name: getattr(self, name) for name in Config.model_fields})


def judges_groups(algo: Algo) -> bool:
    """Whether a group of equal rewards has no learning signal."""
    kl_in_reward = algo.needs_reference and algo.kl_in == "reward"
    return (
        algo.baseline in GROUP_BASELINES and algo.transform not in ("process", "distill") and not kl_in_reward
    )


def _check_sampling(config: Config) -> None:
    """Refuses ways to sample that contradict each other."""
    rollout = config.rollout
    if not all(rollout.stop):
        raise ConfigError("rollout.stop has an empty text, which would end every completion: take it out")
    if (rollout.server_url is None) == (rollout.engine == "vllm_server"):
        raise ConfigError(
            f"rollout.server_url is {rollout.server_url!r} and rollout.engine {rollout.engine!r}: the engine "
            '"vllm_server" needs an address, and no other reads it'
        )
    if config.eval.temperature != 1 and config.eval.samples == 1:
        raise ConfigError(
            f"eval.temperature is {config.eval.temperature:g} and eval.samples 1, which is greedy: raise "
            "eval.samples, or leave eval.temperature"
        )
    if rollout.slots and rollout.engine not in ("torch", "transformers_cb"):
        raise ConfigError(
            f"rollout.slots is given, and rollout.engine is {rollout.engine!r}, which does not read it: "
            "leave it"
        )
    if rollout.ahead and config.algo.baseline == "greedy":
        raise ConfigError(
            'algo.baseline is "greedy", whose completions must come from the same weights as the step\'s: '
            "set rollout.ahead to 0"
        )


def _check_selection(config: Config) -> None:
    """Refuses ways to choose what is trained on that contradict each other."""
    rollout, algo = config.rollout, config.algo
    if rollout.dynamic and not judges_groups(algo):
        raise ConfigError(
            "rollout.max_refills and rollout.oversample replace groups without a learning signal, and with "
            f"algo.baseline = {algo.baseline}, algo.transform = {algo.transform}, algo.kl_in = {algo.kl_in} "
            "equal rewards are one: leave them at 0 and 1, or take a baseline of the group and a KL in the "
            "loss"
        )
    if rollout.subset:
        if not 2 <= rollout.subset < rollout.group_size:
            raise ConfigError(
                f"rollout.subset is {rollout.subset}: it must be at least 2 and below rollout.group_size, "
                f"{rollout.group_size}, or 0 for all completions"
            )
        if algo.transform in ("process", "distill"):
            raise ConfigError(
                f"rollout.subset chooses completions by their rewards, and algo.transform = {algo.transform} "
                "learns from something else: set it to 0"
            )
        if algo.transform in ("pass_k_analytic", "pkpo") and algo.pass_k > rollout.subset:
            raise ConfigError(
                f"algo.pass_k is {algo.pass_k} and rollout.subset {rollout.subset}: too few completions are "
                "left to choose k of; lower algo.pass_k, or raise rollout.subset"
            )
    elif rollout.subset_statistics != "subset":
        raise ConfigError(
            f"rollout.subset_statistics is {rollout.subset_statistics!r} and rollout.subset 0, which takes "
            "all completions: set rollout.subset, or leave rollout.subset_statistics"
        )
    if (
        rollout.drop_above is not None
        and rollout.drop_below is not None
        and rollout.drop_above <= rollout.drop_below
    ):
        raise ConfigError(
            f"rollout.drop_above is {rollout.drop_above} and rollout.drop_below {rollout.drop_below}: every "
            "prompt would be dropped; exchange them"
        )
    if config.rewards.overlong != 1 and not config.rewards.overlong_tokens:
        raise ConfigError(
            f"rewards.overlong is {config.rewards.overlong:g} and rewards.overlong_tokens 0, which switches "
            "the punishment off: set rewards.overlong_tokens, or leave rewards.overlong"
        )
    if config.rewards.overlong_tokens > rollout.max_new_tokens:
        raise ConfigError(
            f"rewards.overlong_tokens is {config.rewards.overlong_tokens}, more than rollout.max_new_tokens, "
            f"{rollout.max_new_tokens}: it is the part of that limit over which the punishment grows"
        )


def _check_template(data: DataConfig) -> None:
    """Refuses a template that no prompt can be put into."""
    if data.template is None:
        return
    if data.chat == "always" or data.system is not None:
        raise ConfigError(
            'data.template takes the place of a chat template: leave data.system, and data.chat = "always"'
        )
    try:
        fields = [part[1:] for part in string.Formatter().parse(data.template) if part[1] is not None]
    except ValueError as error:
        raise ConfigError(
            f"data.template is no format string: {error}; write braces of the text as {{{{ and }}}}"
        ) from None
    for name, *rest in fields:
        if name != "question" or rest != ["", None]:
            raise ConfigError(
                f"data.template has a field other than {{question}} ({name!r}): write braces of the text as "
                "{{ and }}"
            )
    if not fields:
        raise ConfigError("data.template has no {question}: put it where the prompt goes")


def parse_command_line(arguments: list[str]) -> CommandLine:
    """Reads `[FILE.toml] [--section.key value ...] [--resume] [--dry-run]`.

    Raises:
        ConfigError: the file is missing, is not TOML, has an unknown key or a value out of range.
        SystemExit: an unknown option, or `--help`.
    """
    files = [argument for argument in arguments if argument.endswith(".toml")]
    values = read_toml(Path(files[0])) if files else {}
    arguments = _take_knobs(arguments, values)
    default = _validated(CommandLine, values)
    command = tyro.cli(
        CommandLine,
        prog="python -m grpo_rs.train",
        default=default,
        args=arguments,
        config=(tyro.conf.AvoidSubcommands,),
    )
    command.check()
    return command


def _take_knobs(arguments: list[str], values: dict[str, Any]) -> list[str]:
    """Puts the knobs of the command line in the place of the file's. A preset leaves the file's knobs alone.

    The preset gives the knobs' defaults, so it must be known before the options are read. Names that other
    trainers give to knobs are no options of their own, and the word "none" is none to a file only. Read here,
    knobs that do not go together are refused by the same sentence as in a file.

    Returns:
        The arguments without what was taken.
    """
    algo = values.setdefault("algo", {})
    fields = Algo.model_fields
    left: list[str] = []
    remaining = iter(arguments)
    for argument in remaining:
        name, given, value = argument.partition("=")
        key = name.removeprefix("--algo.").replace("-", "_")
        positive = key.removeprefix("no_")
        if not name.startswith("--algo.") or key == "value_bounds":  # which is two words
            left.append(argument)
        elif positive in fields and fields[positive].annotation is bool:
            algo[positive] = value if given else key == positive
        elif key in fields or is_alias(key):
            algo[key] = value if given else next(remaining, "")
        else:
            left.append(argument)
    return left


def read_toml(path: Path) -> dict[str, Any]:
    """The values of a TOML file, with every key checked against the configuration.

    Raises:
        ConfigError: the file cannot be read, is not TOML, or has an unknown key.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from None
    _refuse_unknown(values, Config, str(path), "")
    return values


def config_from_dict(values: dict[str, Any], *, trains: bool = True) -> Config:
    """A configuration from nested plain values, as in the run directory's config.json.

    Args:
        values: by section and key.
        trains: refuse also what contradicts itself in training alone.

    Raises:
        ConfigError: it has an unknown key, a value out of range, or a contradiction.
    """
    _refuse_unknown(values, Config, "the configuration", "")
    config = _validated(Config, values)
    if trains:
        config.check()
    else:
        _check_template(config.data)
    return config


def flatten(config: Config) -> dict[str, Any]:
    """Every value by its dotted name, in order."""
    return {
        f"{section}.{key}": value
        for section, values in config.model_dump(mode="json").items()
        for key, value in values.items()
    }


def _refuse_unknown(values: dict[str, Any], model: type[BaseModel], where: str, prefix: str) -> None:
    for key, value in values.items():
        field = model.model_fields.get(key)
        if field is None and model is Algo and is_alias(key):
            continue
        if field is None:
            known = list(model.model_fields)
            near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
            hint = f"did you mean {prefix}{near[0]}?" if near else f"known: {', '.join(known)}"
            raise ConfigError(f"unknown key {prefix}{key} in {where}: {hint}")
        section = field.annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            if not isinstance(value, dict):
                raise ConfigError(f"{prefix}{key} in {where} is a section: write [{prefix}{key}]")
            _refuse_unknown(value, section, where, f"{prefix}{key}.")


def _validated(model: type[ModelT], values: dict[str, Any]) -> ModelT:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise ConfigError(_sentences(error)) from None


def _sentences(error: ValidationError) -> str:
    lines = []
    for item in error.errors():
        name = ".".join(str(part) for part in item["loc"])
        message = item["msg"].removeprefix("Value error, ")
        given = "" if isinstance(item["input"], dict) else f" is {item['input']!r}"
        lines.append(f"{name}{given}: {message}" if name else message)
    return "; ".join(lines)
