"""The algorithms of the literature, and the defaults of other trainers, as settings of `Algo`'s knobs.

    algo = preset("dapo", clip_high=0.3)        # the same as Algo(preset="dapo", clip_high=0.3)

A preset is the objective and nothing else. What a paper does around it (how prompts are chosen, learning
rate, length limit) is data beside it: `recipe` holds what a configuration can say, `outside` the rest in
words. Groups whose rewards are all equal are kept, with advantage 0, where the paper keeps them, and dropped
where it filters them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from grpo_rs.errors import ConfigError

if TYPE_CHECKING:
    from grpo_rs.algo.knobs import Algo

Values = Mapping[str, Any]


@dataclass(frozen=True)
class Preset:
    """An algorithm by name.

    Attributes:
        summary: what it is, in a sentence.
        paper: arXiv id; for the defaults of another trainer its name and version.
        knobs: fields of `Algo`; the rest are `Algo`'s own defaults.
        recipe: keys of the configuration outside [algo] with the published values.
        outside: what belongs to the method and is not part of the objective.
    """

    summary: str
    paper: str
    knobs: Values
    recipe: Values = field(default_factory=dict)
    outside: str = ""


def preset(name: str, **overrides: Any) -> Algo:
    """The objective called `name`, with any knob turned.

    Args:
        name: one of `PRESETS`.
        overrides: fields of `Algo`, or option names of TRL and verl (`grpo_rs.algo.aliases`).

    Raises:
        ConfigError: no such preset, no such knob, or a combination without sense.
    """
    from grpo_rs.algo.knobs import Algo

    return Algo.checked(preset=name, **overrides)


def preset_knobs(name: str) -> Values:
    """The knobs that a preset sets.

    Raises:
        ConfigError: no preset is called so; the message names those that are spelt alike.
    """
    if name not in PRESETS:
        near = get_close_matches(name.lower().replace("-", "_").replace(" ", "_"), PRESETS, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(sorted(PRESETS))}"
        raise ConfigError(f"no preset is called {name!r}: {hint}")
    return PRESETS[name].knobs


# ---- Parts that presets share ------------------------------------------------------------------------------

STANDARD: Values = {"baseline": "group_mean", "scale": "group_std", "zero_variance": "keep"}
CENTRED: Values = {"baseline": "group_mean", "scale": "none", "zero_variance": "keep"}
CRITIC: Values = {"baseline": "critic", "scale": "token_whiten", "std_epsilon": 1e-8, "zero_variance": "keep"}
FILTERED: Values = {"zero_variance": "drop"}
TOKENS: Values = {"aggregate": "token_mean"}
SEQUENCES: Values = {"aggregate": "seq_mean_token_mean"}


def clipped(low: float = 0.2, high: float = 0.2, anchor: str = "old") -> Values:
    """PPO's gate on the ratio to `anchor`."""
    return {"anchor": anchor, "gate": "ppo", "clip_low": low, "clip_high": high}


def weighted(cap: float | None, anchor: str = "old") -> Values:
    """CISPO's gate: log-probabilities weighted by the ratio, cut at `cap`."""
    return {"anchor": anchor, "gate": "cispo", "weight_min": None, "weight_max": cap}


def reinforce(aggregate: str) -> Values:
    """The plain policy gradient, on the sampler's own policy."""
    return {"anchor": "self", "gate": "reinforce", "aggregate": aggregate}


def k3(beta: float) -> Values:
    """The k3 estimator in the loss."""
    return {"kl": "k3", "kl_beta": beta, "kl_in": "loss"}


def k1_reward(beta: float) -> Values:
    """The k1 estimator in the reward."""
    return {"kl": "k1", "kl_beta": beta, "kl_in": "reward"}


def correct(
    kind: str, level: str = "token", least: float | None = None, most: float | None = 2.0, **more: Any
) -> Values:
    """An off-policy correction."""
    return {
        "correction": kind,
        "correction_level": level,
        "correction_min": least,
        "correction_max": most,
        **more,
    }


GRPO: Values = {**STANDARD, **clipped(), **SEQUENCES}
DAPO: Values = {**STANDARD, **FILTERED, **clipped(0.2, 0.28), **TOKENS}
R1_ZERO_RECIPE: Values = {
    "optim.lr": 3e-6,
    "rollout.group_size": 16,
    "rollout.prompts_per_step": 32,
    "rollout.max_new_tokens": 32768,
    "rollout.temperature": 1.0,
}

# ---- The algorithms ----------------------------------------------------------------------------------------

ALGORITHMS: dict[str, Preset] = {
    "default": Preset(
        "A judgement of late 2026: ScaleRL's objective, which needs no pass for old log-probabilities and "
        "stands data that is several versions old; without KL, so without a reference.",
        "2510.13786",
        {
            "baseline": "group_mean",
            "scale": "batch_advantage_std",
            "zero_variance": "drop",
            **weighted(5.0, anchor="rollout"),
            "clip_low": 0.2,
            "clip_high": 0.28,
            "aggregate": "prompt_mean",
        },
    ),
    "grpo": Preset(
        "GRPO as in DeepSeekMath, outcome supervision.",
        "2402.03300",
        {**GRPO, **k3(0.04)},
        {
            "optim.lr": 1e-6,
            "rollout.group_size": 64,
            "rollout.prompts_per_step": 16,
            "rollout.max_new_tokens": 1024,
        },
    ),
    "grpo_iterative": Preset(
        "GRPO as in DeepSeekMath, algorithm 1: the policy becomes the reference every so many steps (the "
        "paper states no number; 400 is R1-Zero's).",
        "2402.03300",
        {**GRPO, **k3(0.04), "reference_every": 400},
        {
            "optim.lr": 1e-6,
            "rollout.group_size": 64,
            "rollout.prompts_per_step": 16,
            "rollout.max_new_tokens": 1024,
        },
        "The paper also trains its reward model on, with 10 % of older data; a verifier needs no training.",
    ),
    "grpo_process": Preset(
        "GRPO with process supervision (DeepSeekMath 4.1.3): rewards of steps, normalised over all steps "
        "of the group; a token's advantage is the sum over the steps that end at or after it.",
        "2402.03300",
        {**GRPO, **k3(0.04), "transform": "process"},
        {
            "optim.lr": 1e-6,
            "rollout.group_size": 64,
            "rollout.prompts_per_step": 16,
            "rollout.max_new_tokens": 1024,
        },
        "Needs a reward of steps, `rewards.process`; the paper's is a trained model.",
    ),
    "r1_zero": Preset(
        "DeepSeek-R1-Zero: GRPO with a light KL to a reference that is replaced every 400 steps.",
        "2501.12948",
        {**GRPO, **k3(0.001), "reference_every": 400},
        R1_ZERO_RECIPE,
        "Accuracy and format rewards with equal weights; a template with <think> and <answer>; from step "
        "8,200 on completions of up to 65,536 tokens; 8,192 completions sampled at once and used in 16 "
        "steps.",
    ),
    "r1": Preset(
        "The first reinforcement stage of DeepSeek-R1: clip 10, which hardly ever acts.",
        "2501.12948",
        {**GRPO, **clipped(10.0, 10.0), **k3(0.001), "reference_every": 400},
        R1_ZERO_RECIPE,
        "A reward for the share of words in the language asked for.",
    ),
    "grpo_v32": Preset(
        "DeepSeek-V3.2: centred rewards, an unbiased KL (times the ratio, differentiated), and completions "
        "with negative advantage that have drifted off the sampler masked.",
        "2512.02556",
        {**CENTRED, **clipped(), **SEQUENCES, **k3(0.001), "kl_importance": True, "opsm_delta": 0.2},
        outside="Keeps the sampler's routing of experts and its top-p sets. States no values: the KL's "
        "weight and the threshold of the mask are settings to try.",
    ),
    "ppo": Preset(
        "PPO with a critic, Monte-Carlo returns and whitened advantages: the baseline to compare GRPO with.",
        "1707.06347",
        {**CRITIC, **clipped(), "dual_clip": 3.0, **TOKENS, "value_clip": 0.2, "critic_warmup_steps": 10},
        outside="The KL of the classical form: kl = k1, kl_in = reward, kl_beta = 0.001.",
    ),
    "vapo": Preset(
        "VAPO: a pre-trained critic, a lambda that grows with the length, clip-higher, and imitation of "
        "correct completions.",
        "2504.05118",
        {
            **CRITIC,
            **clipped(0.2, 0.28),
            **TOKENS,
            "lam_length_alpha": 0.05,
            "nll_coef": 0.1,
            "critic_warmup_steps": 50,
            "critic_lr": 2e-6,
        },
        {"optim.lr": 1e-6, "rollout.prompts_per_step": 512, "rollout.group_size": 16},
    ),
    "rloo": Preset(
        "RLOO: the mean of the others as the baseline, plain REINFORCE on whole completions, KL in the "
        "reward.",
        "2402.14740",
        {
            "baseline": "leave_one_out",
            "scale": "none",
            "zero_variance": "keep",
            **reinforce("seq_mean_token_sum"),
            **k1_reward(0.03),
        },
    ),
    "reinforce_pp": Preset(
        "REINFORCE++: no baseline, the KL in each token's reward, returns whitened over the batch's tokens.",
        "2501.03262",
        {**CRITIC, "baseline": "none", **clipped(), **TOKENS, **k1_reward(0.001)},
    ),
    "reinforce_pp_baseline": Preset(
        "REINFORCE++ with the group's mean as the baseline, whitened over the batch's tokens; k2 in the "
        "loss.",
        "2501.03262",
        {**CRITIC, "baseline": "group_mean", **clipped(), **TOKENS, "kl": "k2", "kl_beta": 0.001},
    ),
    "remax": Preset(
        "ReMax: REINFORCE with the reward of the greedy completion as the baseline.",
        "2310.10505",
        {
            "baseline": "greedy",
            "scale": "none",
            "zero_variance": "keep",
            **reinforce("seq_mean_token_sum"),
        },
        outside="One greedy completion of each prompt, sampled and scored beside the group.",
    ),
    "opo": Preset(
        "OPO: the length-weighted mean reward as the baseline; strictly on-policy.",
        "2505.23585",
        {
            "baseline": "length_weighted",
            "scale": "none",
            "zero_variance": "keep",
            **reinforce("seq_mean_token_sum"),
        },
    ),
    "gpg": Preset(
        "GPG: centred rewards times batch / (batch - completions of groups without a signal), plain "
        "REINFORCE.",
        "2504.02546",
        {"baseline": "group_mean", "scale": "live_share", "zero_variance": "keep", **reinforce("token_mean")},
    ),
    "otb": Preset(
        "Optimal token baseline: for each token the mean reward weighted by the squared norm of the "
        "gradients so far.",
        "2602.07078",
        {
            "baseline": "optimal_token",
            "scale": "none",
            "std_epsilon": 1e-8,
            "zero_variance": "keep",
            **clipped(),
            **TOKENS,
        },
        outside="Needs the sum of squared probabilities at every token.",
    ),
    "dr_grpo": Preset(
        "Dr. GRPO: centred rewards without the standard deviation, and a constant in place of the length.",
        "2503.20783",
        {**CENTRED, **clipped(), "aggregate": "constant"},
    ),
    "bnpo": Preset(
        "GRPO with the mean over all tokens, as TRL's loss_type bnpo computes it when one micro-batch is "
        "the whole step.",
        "TRL 1.16",
        {**STANDARD, **clipped(), **TOKENS},
    ),
    "dapo": Preset(
        "DAPO: clip-higher, the mean over tokens, no KL, only groups with a signal.",
        "2503.14476",
        DAPO,
        {
            "optim.lr": 1e-6,
            "rollout.group_size": 16,
            "rollout.prompts_per_step": 512,
            "rollout.max_new_tokens": 20480,
        },
        "Samples again until every group has a signal (dynamic sampling); a soft penalty on the last 4,096 "
        "tokens before the limit; rewards of +1 and -1; 16 steps on each batch (minibatches = 16).",
    ),
    "dapo_paper": Preset(
        "DAPO as its equation is written: the mean over tokens of each prompt, then over prompts.",
        "2503.14476",
        {**DAPO, "aggregate": "prompt_mean"},
    ),
    "lite_ppo": Preset(
        "Lite PPO: the group's mean, the batch's standard deviation, the mean over tokens.",
        "2508.08221",
        {**STANDARD, "scale": "batch_reward_std", **clipped(), **TOKENS},
    ),
    "gspo": Preset(
        "GSPO: one ratio for a completion, the geometric mean of its tokens' ratios.",
        "2507.18071",
        {**GRPO, **clipped(3e-4, 4e-4), "ratio": "sequence"},
        outside="Four steps on each batch (minibatches = 4).",
    ),
    "gspo_token": Preset(
        "GSPO with a gradient of its own for each token, for advantages that differ within a completion.",
        "2507.18071",
        {**GRPO, **clipped(3e-4, 4e-4), "ratio": "sequence_token"},
    ),
    "luspo": Preset(
        "LUSPO: GSPO summed over the tokens, which takes the length's weight out.",
        "2602.05261",
        {**STANDARD, **clipped(2e-3, 2.5e-3), "ratio": "sequence", "aggregate": "seq_mean_token_sum"},
    ),
    "gmpo": Preset(
        "GMPO: the geometric mean of the tokens' ratios, each clipped in logarithm.",
        "2507.20673",
        {**GRPO, **clipped(0.4, 0.4), "gate": "gmpo"},
    ),
    "cispo": Preset(
        "CISPO: every token keeps its gradient, and the ratio is a weight that is cut. MiniMax-M1 does not "
        "publish its bound.",
        "2506.13585",
        {**STANDARD, **weighted(5.0), **TOKENS},
    ),
    "minimax_m1": Preset(
        "MiniMax-M1: CISPO.",
        "2506.13585",
        {**STANDARD, **weighted(5.0), **TOKENS},
        {"optim.betas": (0.9, 0.95)},
        "A float32 head; AdamW with epsilon 1e-15; generation stops at 3,000 tokens in a row with "
        "probability over 0.99.",
    ),
    "scalerl": Preset(
        "ScaleRL: CISPO against the sampler's log-probabilities, centred rewards over the batch's standard "
        "deviation, each prompt alike.",
        "2510.13786",
        {
            "baseline": "group_mean",
            "scale": "batch_advantage_std",
            **FILTERED,
            **weighted(5.0, anchor="rollout"),
            "aggregate": "prompt_mean",
        },
        {"rollout.group_size": 16, "rollout.prompts_per_step": 48},
        "A float32 head in sampler and trainer; prompts with a pass rate of 0.9 and more are not sampled "
        "again; sampling up to 8 versions ahead; long completions are interrupted by a phrase.",
    ),
    "aipo": Preset(
        "AIPO (LlamaRL): the ratio to the sampler as a weight, cut at 2 to 10.",
        "2505.24034",
        {**CENTRED, **weighted(2.0, anchor="rollout"), **TOKENS},
    ),
    "sapo": Preset(
        "SAPO: a sigmoid of the ratio in place of the clip, steeper for negative advantages.",
        "2511.20347",
        {**GRPO, "gate": "sapo"},
    ),
    "vespo": Preset(
        "VESPO: a smooth weight of the whole completion's ratio, w^k exp(lambda (1 - w)).",
        "2602.10693",
        {**STANDARD, **clipped(), "gate": "vespo", **TOKENS},
    ),
    "dppo_tv": Preset(
        "DPPO: tokens whose probability has moved by more than 0.15 from the sampler's are masked.",
        "2602.04879",
        {
            **CENTRED,
            "anchor": "rollout",
            "gate": "dppo_tv",
            "prob_low": 0.15,
            "prob_high": 0.15,
            "weight_max": 20.0,
            "aggregate": "constant",
        },
        {"rollout.group_size": 16},
    ),
    "dppo_kl": Preset(
        "DPPO with the binary KL divergence in place of the difference of probabilities.",
        "2602.04879",
        {
            **CENTRED,
            "anchor": "rollout",
            "gate": "dppo_kl",
            "prob_low": 0.05,
            "prob_high": 0.05,
            "weight_max": 20.0,
            "aggregate": "constant",
        },
        {"rollout.group_size": 16},
    ),
    "bpco": Preset(
        "BPCO: a bounded critic, a clip of the probability instead of the ratio, one completion a prompt.",
        "2608.23566",
        {
            **CRITIC,
            "scale": "none",
            **clipped(anchor="rollout"),
            "clip_prob": 0.2,
            **TOKENS,
            "lam_length_alpha": 0.4,
            "value_bounds": (0.0, 1.0),
            "value_clip": None,
            "critic_warmup_steps": 15,
        },
        outside="One completion of each prompt.",
    ),
    "sao": Preset(
        "SAO (GLM-5.2), mathematics: a critic, one completion a prompt, and tokens whose ratio to the "
        "sampler leaves a band masked.",
        "2607.07508",
        {
            **CRITIC,
            "scale": "none",
            "anchor": "rollout",
            "gate": "band",
            "weight_min": 0.7,
            "weight_max": 6.0,
            **TOKENS,
            "lam_length_alpha": 1.5,
            "critic_lr": 5e-6,
            "critic_warmup_steps": 10,
            "critic_epochs": 2,
        },
        {"rollout.prompts_per_step": 128},
        "One completion of each prompt; the critic's attention is frozen.",
    ),
    "sao_coding": Preset(
        "SAO (GLM-5.2), coding: the band is 0.2 to 4.",
        "2607.07508",
        {
            **CRITIC,
            "scale": "none",
            "anchor": "rollout",
            "gate": "band",
            "weight_min": 0.2,
            "weight_max": 4.0,
            **TOKENS,
            "lam_length_alpha": 1.5,
            "critic_lr": 5e-6,
            "critic_warmup_steps": 10,
            "critic_epochs": 2,
        },
        {"rollout.prompts_per_step": 128},
        "One completion of each prompt; the critic's attention is frozen.",
    ),
    "flash_reinforce": Preset(
        "FlashREINFORCE: one completion a prompt, the batch's mean as the baseline, the bare ratio to the "
        "sampler as the weight, and completions that have drifted too far rejected.",
        "NVIDIA, 2026",
        {
            "baseline": "batch_mean",
            "scale": "none",
            "zero_variance": "keep",
            **weighted(None, anchor="rollout"),
            **SEQUENCES,
            **correct("reject", "sequence", most=3e-3),
            "correction_stat": "binary_kl",
            "correction_against": "current",
        },
        {"optim.lr": 1e-6, "optim.weight_decay": 0.1, "rollout.prompts_per_step": 128},
        "One completion of each prompt. For distilled models the threshold is 5e-3.",
    ),
    "spo": Preset(
        "SPO: a running estimate of each prompt's pass rate as the baseline, one completion a prompt.",
        "2509.13232",
        {
            "baseline": "tracker",
            "scale": "batch_whiten",
            "std_epsilon": 1e-8,
            "zero_variance": "keep",
            **clipped(0.2, 0.28),
            **TOKENS,
        },
        outside="Prompts are drawn with weight sqrt(p (1 - p)) + 0.05; the drift of the policy decides how "
        "fast a prompt's past is forgotten.",
    ),
    "glm5": Preset(
        "GLM-5, reasoning: GRPO without KL, tokens on which sampler and trainer disagree masked.",
        "2602.15763",
        {**STANDARD, **clipped(0.2, 0.28), **SEQUENCES, **correct("mask", least=0.5, most=5.0)},
        {"rollout.group_size": 32},
    ),
    "icepop": Preset(
        "IcePop: the weight pi_old / pi_sampler, 0 outside 0.5 to 5.",
        "2510.18855",
        {**STANDARD, **clipped(0.2, 0.28), **SEQUENCES, **correct("mask", least=0.5, most=5.0)},
    ),
    "tis": Preset(
        "DAPO's loss with truncated importance sampling: the weight pi_old / pi_sampler, at most 2.",
        "1802.01561; Yao et al., 2025",
        {**STANDARD, **clipped(0.2, 0.28), **TOKENS, **correct("truncate")},
    ),
    "seq_tis": Preset(
        "Truncated importance sampling with the product over the completion.",
        "1802.01561; Yao et al., 2025",
        {**STANDARD, **clipped(0.2, 0.28), **TOKENS, **correct("truncate", "sequence")},
    ),
    "seq_mis": Preset(
        "Masked importance sampling: completions whose product of ratios exceeds the bound are dropped, "
        "the others weighted by it.",
        "2512.23075",
        {**STANDARD, **clipped(0.2, 0.28), **TOKENS, **correct("mask", "sequence", most=3.0)},
    ),
    "geo_mask": Preset(
        "Completions whose geometric-mean ratio leaves 0.999 to 1.002 are dropped; the others' tokens keep "
        "their own weights.",
        "2512.23075",
        {
            **STANDARD,
            **clipped(0.2, 0.28),
            **TOKENS,
            **correct("mask", "geometric", least=0.999, most=1.002),
            "correction_token_weight": True,
        },
    ),
    "olmo3": Preset(
        "OLMo 3: centred rewards, clip-higher, no KL, truncated importance sampling.",
        "2512.13961",
        {**CENTRED, **FILTERED, **clipped(0.2, 0.272), **TOKENS, **correct("truncate")},
        outside="Groups without a signal are replaced by others (active sampling).",
    ),
    "magistral": Preset(
        "Magistral: centred over the group, then whitened over the batch; clip-higher, no KL.",
        "2506.10910",
        {**STANDARD, **FILTERED, "scale": "batch_whiten", **clipped(0.2, 0.28), **TOKENS},
        outside="Rewards: format 0.1, correctness 0.9, a soft penalty of up to -1 (times 0.1) for length, "
        "language 0.1.",
    ),
    "prime_rl": Preset(
        "prime-rl's default: DPPO's mask on the difference of probabilities, and a squared log-ratio to the "
        "sampler.",
        "2602.04879; prime-rl",
        {
            **CENTRED,
            **FILTERED,
            "anchor": "rollout",
            "gate": "dppo_tv",
            "prob_low": 0.2,
            "prob_high": 0.2,
            "prob_form": "ratio",
            "weight_max": None,
            **TOKENS,
            "k2_anchor": 1e-3,
        },
        {"rollout.prompts_per_step": 128},
    ),
    "prime_rl_ipo": Preset(
        "prime-rl's ipo: both directions of a probability are bounded, whatever the advantage's sign.",
        "prime-rl",
        {
            **CENTRED,
            **FILTERED,
            "anchor": "rollout",
            "gate": "ipo",
            "prob_low": 0.1,
            "prob_high": 0.1,
            "prob_form": "ratio",
            "weight_max": None,
            **TOKENS,
            "k2_anchor": 1e-3,
        },
    ),
    "kimi_k25": Preset(
        "Kimi K2.5: tokens whose log-ratio leaves a band are masked, and a squared log-ratio holds the "
        "rest. The report states no values: ratios of 1/2 to 2, and prime-rl's weight.",
        "2602.02276",
        {
            **CENTRED,
            "anchor": "rollout",
            "gate": "kimi",
            "kimi_log_min": -math.log(2),
            "kimi_log_max": math.log(2),
            **TOKENS,
            "k2_anchor": 1e-3,
        },
    ),
    "tinker_is": Preset(
        "Tinker's importance_sampling: the bare ratio to the sampler, summed over tokens.",
        "Tinker",
        {**CENTRED, "anchor": "rollout", "gate": "importance", "aggregate": "token_sum"},
        outside="The sum grows with the batch: the learning rate is set for it.",
    ),
    "tinker_ppo": Preset(
        "Tinker's ppo: clipped at 0.8 and 1.2 of the ratio to the sampler, summed over tokens.",
        "Tinker",
        {**CENTRED, **clipped(anchor="rollout"), "aggregate": "token_sum"},
        outside="The sum grows with the batch: the learning rate is set for it.",
    ),
    "tinker_cispo": Preset(
        "Tinker's cispo: the ratio to the sampler as a weight of at most 4, summed over tokens.",
        "Tinker",
        {**CENTRED, **weighted(4.0, anchor="rollout"), "weight_min": 0.0, "aggregate": "token_sum"},
        outside="The sum grows with the batch: the learning rate is set for it.",
    ),
    "maxrl": Preset(
        "MaxRL: centred rewards over their mean, which weighs hard prompts up.",
        "2602.02710",
        {**STANDARD, "scale": "group_mean", "std_epsilon": 0.0, **clipped(0.2, 0.28), **TOKENS},
        outside="Rewards that are not negative.",
    ),
    "passk_max": Preset(
        "Pass@k by the best: only the best completion has an advantage, its lead over the second.",
        "2503.19595",
        {**STANDARD, "transform": "pass_k_max", **clipped(0.2, 0.28), **TOKENS},
    ),
    "passk": Preset(
        "Pass@k training with the closed-form advantage for rewards of 0 and 1.",
        "2508.10751",
        {
            **STANDARD,
            "scale": "none",
            "transform": "pass_k_analytic",
            "pass_k": 4,
            **clipped(0.2, 0.28),
            **TOKENS,
        },
        outside="Rewards of 0 and 1.",
    ),
    "pkpo": Preset(
        "PKPO: each reward replaced by its unbiased share in the best of k, then the mean of the others "
        "taken off.",
        "2505.15201",
        {
            **STANDARD,
            "baseline": "leave_one_out",
            "scale": "none",
            "transform": "pkpo",
            "pass_k": 4,
            **clipped(0.2, 0.28),
            **TOKENS,
        },
    ),
    "gdpo": Preset(
        "GDPO: each reward normalised over its group by itself, then their weighted sum over the batch.",
        "2601.05242",
        {
            **STANDARD,
            "std_epsilon": 1e-4,
            "transform": "per_reward",
            "per_reward_final": "sequence",
            **clipped(0.2, 0.28),
            **TOKENS,
        },
        outside="Two rewards or more.",
    ),
    "a3po": Preset(
        "A-3PO: the policy to clip against is a log-linear mix of sampler and current policy, without a "
        "pass of its own.",
        "2512.06547",
        {**STANDARD, **clipped(anchor="proximal"), "proximal_alpha": 0.5, **TOKENS},
    ),
    "opd": Preset(
        "On-policy distillation: a token's advantage is log teacher - log student, and nothing else.",
        "2601.02780",
        {
            **CENTRED,
            "transform": "distill",
            "outcome_coef": 0.0,
            "anchor": "rollout",
            "gate": "importance",
            **TOKENS,
        },
        outside="Needs the teacher's log-probability of every token.",
    ),
    "mopd": Preset(
        "Distillation from several teachers (MiMo-V2-Flash): the teacher of the prompt's domain, plus the "
        "outcome's advantage; the ratio as a weight that is cut.",
        "2601.02780",
        {
            **CENTRED,
            "transform": "distill",
            "outcome_coef": 1.0,
            **weighted(5.0, anchor="rollout"),
            **TOKENS,
        },
        outside="Needs the teacher's log-probability of every token, each prompt's from its own teacher.",
    ),
    "two_sided": Preset(
        "Two-sided clipping: GRPO with the ratio of negative advantages bounded too.",
        "2505.07291",
        {**GRPO, "clip_delta": 4.0},
    ),
    "intellect2": Preset(
        "INTELLECT-2: two-sided clipping, the mean over tokens, a light KL, only groups with a signal.",
        "2505.07291",
        {**STANDARD, **FILTERED, **clipped(), "clip_delta": 4.0, **TOKENS, **k3(0.001)},
        outside="Prompts of middle difficulty; data up to four versions old; a reward for the length asked "
        "for.",
    ),
    "top_entropy": Preset(
        "DAPO on the fifth of the tokens with the highest entropy (80/20 rule).",
        "2506.01939",
        {**DAPO, "entropy_top": 0.2},
    ),
    "clip_cov": Preset(
        "Clip-Cov: a few tokens whose log-probability and advantage move together are left out.",
        "2505.22617",
        {**STANDARD, **clipped(), "gate": "clip_cov", **TOKENS},
    ),
    "kl_cov": Preset(
        "KL-Cov: the tokens with the highest covariance carry a penalty on their log-ratio.",
        "2505.22617",
        {**STANDARD, **clipped(), "gate": "kl_cov", **TOKENS},
    ),
    "fipo": Preset(
        "FIPO: a token's weight grows with the discounted drift of the tokens after it.",
        "2603.19835",
        {**DAPO, "clip_delta": 10.0, "fipo_decay": 32.0},
    ),
    "real": Preset(
        "REAL: the completions of a group classified into right and wrong by their mean log-ratio.",
        "2602.05630",
        {**CENTRED, "anchor": "old", "gate": "real", "aggregate": "prompt_mean"},
    ),
    "dro": Preset(
        "DRO, token by token as Tinker and verl have it: the log-probability times the advantage, less a "
        "squared log-ratio.",
        "2405.19107",
        {**CENTRED, "anchor": "rollout", "gate": "dro", "aggregate": "token_sum"},
    ),
    "slime_tis": Preset(
        "slime with its optional truncated importance sampling.",
        "slime",
        {**GRPO, **correct("truncate", least=0.0)},
    ),
}

# ---- The defaults of other trainers ------------------------------------------------------------------------

_VERL_ACTOR: Values = {
    **clipped(),
    "dual_clip": 3.0,
    **TOKENS,
    **k3(0.0),
    "minibatches": 4,
}

TRAINERS: dict[str, Preset] = {
    "trl": Preset(
        "The defaults of TRL's GRPOConfig. Completions are dropped and weighted where the sampler's "
        "log-probabilities differ from the trainer's.",
        "TRL 1.16",
        {
            **STANDARD,
            "std_epsilon": 1e-4,
            **clipped(),
            **TOKENS,
            **k3(0.0),
            "kl_importance": True,
            **correct("mask", "sequence", most=3.0),
        },
        {"optim.lr": 1e-6, "rollout.group_size": 8, "rollout.max_new_tokens": 512},
        "Denominators are those of the exact step; TRL's are an average over the generation batch.",
    ),
    "verl": Preset(
        "The defaults of verl's actor, critic and algorithm sections: PPO.",
        "verl 0.9.1",
        {**CRITIC, **_VERL_ACTOR, "value_clip": 0.5},
        {"optim.lr": 1e-6, "rollout.prompts_per_step": 1024, "rollout.max_new_tokens": 512},
        "verl clamps k3 to 10.",
    ),
    "verl_grpo": Preset(
        "verl's defaults with adv_estimator=grpo.",
        "verl 0.9.1",
        {**STANDARD, **_VERL_ACTOR},
        {"optim.lr": 1e-6, "rollout.prompts_per_step": 1024, "rollout.max_new_tokens": 512},
        "verl clamps k3 to 10, and gives a group of one its reward as the advantage; here that is 0.",
    ),
    "openrlhf": Preset(
        "OpenRLHF's defaults: PPO with the KL in the reward.",
        "OpenRLHF 0.11",
        {
            **CRITIC,
            **clipped(),
            **TOKENS,
            **k1_reward(0.01),
            "value_clip": 0.5,
            "critic_lr": 9e-6,
            "minibatches": 8,
        },
        {"optim.lr": 1e-6, "rollout.prompts_per_step": 1024, "rollout.max_new_tokens": 1024},
        "Rewards are cut at -10 and 10.",
    ),
    "openrlhf_group_norm": Preset(
        "OpenRLHF with the advantage estimator group_norm (GRPO); its k3 is chosen for the loss.",
        "OpenRLHF 0.11",
        {**STANDARD, "std_epsilon": 1e-9, **clipped(), **TOKENS, **k3(0.01), "minibatches": 8},
        {"optim.lr": 1e-6},
    ),
    "openrlhf_seq_kl": Preset(
        "OpenRLHF's gate on whole completions by their mean binary KL to the sampler; tokens of those that "
        "pass keep their own weights. It states no bound: FlashREINFORCE's.",
        "OpenRLHF 0.11",
        {
            **STANDARD,
            "std_epsilon": 1e-9,
            **clipped(0.2, 0.28),
            **TOKENS,
            **correct("mask", "sequence", most=3e-3),
            "correction_stat": "binary_kl",
        },
    ),
    "openrlhf_token_tv": Preset(
        "OpenRLHF's gate on tokens by the difference of their probabilities to the sampler's; those that "
        "pass keep their weights. It states no bound: a setting to try.",
        "OpenRLHF 0.11",
        {
            **STANDARD,
            "std_epsilon": 1e-9,
            **clipped(0.2, 0.28),
            **TOKENS,
            **correct("mask", most=0.1),
            "correction_stat": "tv",
        },
    ),
    "skyrl": Preset(
        "SkyRL's defaults.",
        "SkyRL 0.4",
        {**STANDARD, **clipped(), **TOKENS, **k3(0.001), "minibatches": 4},
        {
            "optim.lr": 1e-6,
            "rollout.prompts_per_step": 1024,
            "rollout.group_size": 5,
            "rollout.max_new_tokens": 1024,
        },
    ),
    "slime": Preset(
        "slime's defaults: every completion alike.",
        "slime",
        GRPO,
        {"optim.lr": 1e-6, "rollout.prompts_per_step": 32, "rollout.group_size": 8},
    ),
    "nemo_rl": Preset(
        "NeMo-RL's GRPO: mean and standard deviation of the others, KL with the right gradient.",
        "NeMo-RL",
        {
            "baseline": "leave_one_out",
            "scale": "leave_one_out_std",
            "zero_variance": "keep",
            **clipped(),
            **TOKENS,
            **k3(0.01),
            "kl_importance": True,
        },
        {
            "optim.lr": 5e-6,
            "rollout.prompts_per_step": 32,
            "rollout.group_size": 16,
            "rollout.max_new_tokens": 512,
        },
        "The KL's weight is 1 in value there and the ratio here: equal on the sampler's own policy.",
    ),
    "open_instruct": Preset(
        "open-instruct's defaults: centred rewards, clip-higher, k3, truncated importance sampling.",
        "open-instruct",
        {
            **CENTRED,
            **FILTERED,
            **clipped(0.2, 0.272),
            **TOKENS,
            **k3(0.05),
            **correct("truncate", least=0.0),
        },
        outside="The reference is a moving average of the policy.",
    ),
    "areal": Preset(
        "AReaL's decoupled PPO: clipped against the policy before the update, weighted by that policy over "
        "the sampler's, 0 above 5.",
        "2505.24298; AReaL",
        {
            **STANDARD,
            "std_epsilon": 1e-5,
            **clipped(0.4, 0.4),
            **TOKENS,
            **correct("mask", most=5.0),
        },
        {"rollout.prompts_per_step": 256, "rollout.group_size": 4, "rollout.max_new_tokens": 1024},
        "AReaL 1.0 leaves the mask off unless asked, scales rewards by 10 less 0.5, and normalises "
        "advantages over the batch once more.",
    ),
}

PRESETS: Mapping[str, Preset] = {**ALGORITHMS, **TRAINERS}
