"""The step-0 audit: everything passes on a sound run, and each check finds what it is there for."""

import dataclasses
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from grpo_rs.algo.knobs import Algo
from grpo_rs.algo.presets import ALGORITHMS
from grpo_rs.errors import ModelError
from grpo_rs.learner import layout
from grpo_rs.learner.memory import free_memory
from grpo_rs.outcomes import MathOutcome
from grpo_rs.rewards import MathReward, WeightedSum
from grpo_rs.rewards.stream import RewardPool
from grpo_rs.rollout.sampler import Finish, SamplingParams
from grpo_rs.rollout.torch_sampler import TorchSampler
from grpo_rs.testing import tiny_model, tiny_tokenizer
from grpo_rs.train import audit as module
from grpo_rs.train.audit import Status, audit, check_advantages, check_golds, check_memory, perturbed
from grpo_rs.train.config import config_from_dict
from grpo_rs.train.loop import train
from grpo_rs.train.results import Answer, Evaluation, ProblemResult
from grpo_rs.train.setup import prepare

CHARACTERS = "0123456789+= <>/ueasrtinHlowdA."
TURNS = (
    "{% for m in messages %}<{{ m.role[0] }}>{{ m.content }}<end>{% endfor %}"
    "{% if add_generation_prompt %}<a>{% endif %}"
)
SETTINGS = {
    "data": {"held_out": 8},
    "rollout": {"prompts_per_step": 4, "group_size": 4},
    "warmup": {"max_steps": 0},
    "run": {"steps": 1, "threads": 1},
}
ANSWER = Answer("2", "2", MathOutcome.CORRECT, 0, 2, Finish.STOP_TOKEN)
EVALUATION = Evaluation([ProblemResult("1+1=", "1+1=", "2", (ANSWER,))])


def config_of(**sections):
    merged = {name: SETTINGS.get(name, {}) | sections.get(name, {}) for name in {*SETTINGS, *sections}}
    return config_from_dict(merged)


@pytest.fixture(scope="module")
def plain():
    config = config_of()
    return config, prepare(config)


@pytest.fixture(scope="module")
def chatty(tmp_path_factory):
    """A model with a chat template whose turns end with the stop token."""
    folder = tmp_path_factory.mktemp("chatty")
    tiny_model(0, hidden_size=16, num_heads=2, vocabulary=3 + len(CHARACTERS)).save_pretrained(folder)
    tokenizer = tiny_tokenizer(CHARACTERS)
    tokenizer.chat_template = TURNS
    tokenizer.save_pretrained(folder)
    config = config_of(model={"path": str(folder)})
    return config, prepare(config)


def sampler_of(setup):
    return TorchSampler(setup.policy.model, setup.policy.stop_tokens)


def report_of(run, *, sampler=None, evaluation=EVALUATION, **changes):
    config, setup = run
    setup = dataclasses.replace(setup, **changes)
    params = SamplingParams(config.rollout.max_new_tokens, config.rollout.temperature)
    with RewardPool(setup.rewards, setup.verifier) as pool:
        return audit(setup, sampler or sampler_of(setup), pool, config, params=params, evaluation=evaluation)


def found(report, name):
    return next(check for check in report.checks if check.name == name)


def assert_fails(report, name, detail, mend=""):
    check = found(report, name)
    assert check.status is Status.FAIL, check
    assert detail in check.detail and mend in check.mend, check
    with pytest.raises(ModelError, match=f"the step-0 audit failed, so nothing was trained. .*{name}"):
        report.raise_failed(Path("runs/mine"))


class Changed:
    """A sampler whose completions, or parameters, are changed on the way."""

    version = 0

    def __init__(self, sampler, completion=lambda row: row, params=lambda params: params):
        self.sampler, self.completion, self.params = sampler, completion, params

    def stream(self, prompts, seeds, params):
        for row in self.sampler.stream(prompts, seeds, self.params(params)):
            yield self.completion(row)


# ---- A sound run ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["plain", "chatty"])
def test_nothing_fails_on_a_sound_run(name, request):
    report = report_of(request.getfixturevalue(name))
    assert not [check for check in report.checks if check.status is Status.FAIL]
    assert [check.name for check in report.checks] == [
        "prompts",
        "end of turn",
        "ends of completions",
        "trained tokens",
        "sampler against learner",
        "verifier",
        "rewards",
        "live groups",
        "advantages",
        "memory",
        "before training",
    ]
    expected = Status.SKIP if name == "plain" else Status.PASS
    assert found(report, "end of turn").status is expected
    for check in ("prompts", "trained tokens", "sampler against learner", "verifier", "advantages"):
        assert found(report, check).status is Status.PASS
    report.raise_failed(Path("runs/mine"))
    assert report.lines()[0].startswith("step-0 audit: ")
    assert report.values()[0]["status"] == "PASS"


def test_it_leaves_weights_and_random_numbers_as_they_were(plain):
    _, setup = plain
    before = {name: value.clone() for name, value in setup.policy.model.state_dict().items()}

    def noisy(completions):
        random.random(), np.random.random(), torch.rand(1)
        return [0.0] * len(completions)

    torch.manual_seed(0), random.seed(0), np.random.seed(0)
    report_of(plain, rewards=WeightedSum({"noisy": noisy}, {"noisy": 1.0}))
    drawn = (torch.rand(1).item(), random.random(), np.random.random())
    torch.manual_seed(0), random.seed(0), np.random.seed(0)
    assert drawn == (torch.rand(1).item(), random.random(), np.random.random())
    for name, value in setup.policy.model.state_dict().items():
        assert torch.equal(value, before[name])


def test_it_is_bounded(plain, monkeypatch):
    config, setup = plain
    seen = []

    def note(row):
        seen.append(row)
        return row

    config = config_from_dict(
        config.model_dump(mode="json") | {"rollout": {"group_size": 64, "max_new_tokens": 200}}
    )
    report_of((config, setup), sampler=Changed(sampler_of(setup), note))
    assert len(seen) <= 16 and max(len(row.tokens) for row in seen) <= 64


# ---- Prompts and the chat template ---------------------------------------------------------------------


def test_a_doubled_beginning_of_sequence(plain):
    config, setup = plain
    tokenizer = tiny_tokenizer(CHARACTERS)
    tokenizer.bos_token = "<"
    policy = dataclasses.replace(setup.policy, tokenizer=tokenizer)
    start = tokenizer.bos_token_id
    doubled = [
        dataclasses.replace(problem, tokens=[start, start, *problem.tokens])
        for problem in setup.problems.train[:4]
    ]
    check = module.check_prompts(doubled, config.data, policy)
    assert check.status is Status.FAIL and "two '<' tokens" in check.detail
    single = [
        dataclasses.replace(problem, tokens=problem.tokens[1:], text=f"<{problem.text}")
        for problem in doubled
    ]
    assert module.check_prompts(single, config.data, policy).status is Status.PASS


def test_a_prompt_without_the_generation_prompt(chatty):
    _, setup = chatty
    ended = [
        dataclasses.replace(p, text=p.text.removesuffix("<a>"), tokens=p.tokens[:-3])
        for p in setup.problems.train
    ]
    report = report_of(chatty, problems=dataclasses.replace(setup.problems, train=ended))
    assert_fails(report, "prompts", "does not end with the template's generation prompt '<a>'")


def test_a_tokenizer_that_changes_the_text(plain):
    _, setup = plain
    changed = [dataclasses.replace(p, text=p.text + "x") for p in setup.problems.train]
    report = report_of(plain, problems=dataclasses.replace(setup.problems, train=changed))
    assert found(report, "prompts").status is Status.WARN
    assert "decodes to another text" in found(report, "prompts").detail
    report.raise_failed(Path("runs/mine"))


def test_stop_tokens_without_the_end_of_the_turn(chatty):
    _, setup = chatty
    other = setup.policy.tokenizer.encode("A")
    report = report_of(chatty, policy=dataclasses.replace(setup.policy, stop_tokens=other))
    assert_fails(
        report, "end of turn", "ends a reply with '<end>', and completions end only at 'A'", "add 1 to"
    )


def test_templates_that_say_nothing_of_the_end(chatty):
    config, setup = chatty
    tokenizer = tiny_tokenizer(CHARACTERS)
    policy = dataclasses.replace(setup.policy, tokenizer=tokenizer)
    for template, detail in (
        ("{% for m in messages %}{{ m.content }}{% endfor %}", "no special token"),
        ("{{ raise_exception('users alone') }}", "cannot render a reply: users alone"),
    ):
        tokenizer.chat_template = template
        check = module.check_turns(config.data, policy)
        assert check.status is Status.WARN and detail in check.detail


# ---- Samples -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        ({"tokens": np.array([3, 1, 4, 1])}, "goes on after the stop token 1, at 1 of 4 tokens"),
        ({"tokens": np.array([3, 4, 5, 6])}, "said to have ended with a stop token, and its last token is 6"),
        ({"tokens": np.array([3, 4, 5, 6]), "finish": Finish.LENGTH}, "cut off at 7 tokens, and has 4"),
        ({"finish": Finish.LENGTH}, "ends with a stop token, and is said to be cut off"),
        ({"tokens": np.array([3, 4, 1])}, "has 3 tokens and 4 log-probabilities"),
        (
            {"tokens": np.arange(3, 12), "logprobs": np.zeros(9, np.float32)},
            "has 9 tokens, and the limit is 7",
        ),
        ({"tokens": np.zeros(0, np.int64)}, "has no token"),
    ],
)
def test_completions_that_end_wrongly(plain, change, detail):
    _, setup = plain
    sound = {
        "tokens": np.array([3, 4, 5, 1]),
        "logprobs": np.zeros(4, np.float32),
        "finish": Finish.STOP_TOKEN,
    }
    broken = Changed(sampler_of(setup), lambda row: dataclasses.replace(row, **sound | change))
    assert_fails(report_of(plain, sampler=broken), "ends of completions", detail)
    kept = Changed(sampler_of(setup), lambda row: dataclasses.replace(row, **sound))
    assert found(report_of(plain, sampler=kept), "ends of completions").status is Status.PASS


def test_a_sampler_with_other_stop_tokens(plain):
    _, setup = plain
    assert_fails(
        report_of(plain, sampler=TorchSampler(setup.policy.model, [5])),
        "ends of completions",
        "stop token",
    )


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        (lambda batch: {"state_T": batch.state_T.roll(1)}, "another place than the token before it"),
        (lambda batch: {"target_T": batch.target_T.roll(1)}, "a token that was not sampled is trained"),
        (
            lambda batch: {
                name: getattr(batch, name)[:-1] for name in ("flat_T", "target_T", "state_T", "row_T")
            },
            "tokens are trained",
        ),
    ],
)
def test_micro_batches_that_train_other_tokens(plain, monkeypatch, change, detail):
    def broken(*arguments, **options):
        batches = layout.micro_batches(*arguments, **options)
        return [dataclasses.replace(batch, **change(batch)) for batch in batches]

    monkeypatch.setattr("grpo_rs.learner.learner.micro_batches", broken)
    # The log-probabilities are wrong then too, or not all there.
    assert_fails(report_of(plain), "trained tokens", detail, "layout = padded")


@pytest.mark.parametrize("preset", ["padded", "shared_prefix"])
def test_both_layouts_pass(preset):
    config = config_of(learner={"layout": preset})
    report = report_of((config, prepare(config)))
    assert found(report, "trained tokens").status is Status.PASS
    assert preset in found(report, "trained tokens").detail


def test_a_sampler_that_draws_at_another_temperature(plain):
    _, setup = plain
    colder = Changed(sampler_of(setup), params=lambda params: dataclasses.replace(params, temperature=0.6))
    assert_fails(
        report_of(plain, sampler=colder),
        "sampler against learner",
        "rounding of float32 explains 0.001",
        "They agree at temperature 0.6: the sampler draws at that, and the learner divides by",
    )
    assert setup.learner.temperature == 1.0


def test_a_sampler_with_other_weights(plain):
    other = TorchSampler(tiny_model(9), [1])
    assert_fails(report_of(plain, sampler=other), "sampler against learner", "mean", "other weights")


def test_a_sampler_of_another_precision(plain):
    config, setup = plain
    copy = tiny_model(0).bfloat16()
    copy.load_state_dict(setup.policy.model.state_dict())
    params = SamplingParams(7)
    for dtype, status in ((None, Status.FAIL), (torch.bfloat16, Status.PASS)):
        sampler = TorchSampler(copy, [1])
        with RewardPool(setup.rewards, setup.verifier) as pool:
            report = audit(
                setup, sampler, pool, config, params=params, evaluation=EVALUATION, sampler_dtype=dtype
            )
        assert found(report, "sampler against learner").status is status


def test_a_sampler_whose_gap_is_like_rounding(plain):
    def rounded(row):
        return dataclasses.replace(row, logprobs=row.logprobs + np.float32(0.1))

    report = report_of(plain, sampler=Changed(sampler_of(plain[1]), rounded))
    assert_fails(report, "sampler against learner", "mean 1.0e-01", "another number type or attention")


def test_adapters_that_the_sampler_does_not_have():
    pytest.importorskip("peft")
    from grpo_rs.learner.lora import adapters_off

    config = config_of(model={"lora_rank": 2})
    setup = prepare(config)
    for name, parameter in setup.policy.model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter.data, std=0.5, generator=torch.Generator().manual_seed(0))

    class Stale:
        version = 0

        def stream(self, prompts, seeds, params):
            with adapters_off(setup.policy.model):
                return iter(list(sampler_of(setup).stream(prompts, seeds, params)))

    assert found(report_of((config, setup)), "sampler against learner").status is Status.PASS
    report = report_of((config, setup), sampler=Stale())
    assert_fails(report, "sampler against learner", "mean", "They agree without the adapters")


def test_dropout_that_is_on(plain, monkeypatch):
    _, setup = plain
    own = setup.learner.forward

    def noisy(batch, *rest, **options):
        logp_T, entropy_T = own(batch, *rest, **options)
        return logp_T + torch.randn_like(logp_T) / 3, entropy_T

    monkeypatch.setattr(setup.learner, "forward", noisy)
    assert_fails(report_of(plain), "sampler against learner", "mean", "differ from pass to pass: dropout")


def test_weights_that_are_not_finite():
    config = config_of()
    setup = prepare(config)
    sampler = sampler_of(setup)
    drawn = {}

    def before(row):
        drawn[row.group, row.member] = row
        return row

    report_of((config, setup), sampler=Changed(sampler, before))
    with torch.no_grad():
        setup.policy.model.model.norm.weight.fill_(torch.nan)

    class Sound:
        version = 0

        def stream(self, prompts, seeds, params):
            return iter(list(drawn.values()))

    report = report_of((config, setup), sampler=Sound())
    assert_fails(report, "sampler against learner", "inf", "The learner's are not finite")


# ---- Rewards and advantages ----------------------------------------------------------------------------


class Lenient(MathReward):
    def verdicts(self, completions):
        found = super().verdicts(completions)
        return dataclasses.replace(found, outcomes=np.zeros_like(found.outcomes))


class Strict(MathReward):
    def verdicts(self, completions):
        found = super().verdicts(completions)
        return dataclasses.replace(found, outcomes=np.ones_like(found.outcomes))


@pytest.mark.parametrize(
    ("verifier", "detail"),
    [(Lenient, "0 are refused as '%s', 64 accepted"), (Strict, "64 are refused as '%s', 0 accepted")],
)
def test_a_verifier_that_is_broken(plain, verifier, detail):
    report = report_of(plain, verifier=verifier("last_number"))
    assert_fails(report, "verifier", detail.replace("%s", "..."), "rewards.extract")


def test_text_golds_looked_for_as_numbers():
    check = check_golds(MathReward("last_number"), ["Paris", "London", "7"], rewarded=True)
    assert check.status is Status.FAIL and "2 are refused" in check.detail
    assert check_golds(MathReward("boxed"), ["Paris", "London", "7"], rewarded=True).status is Status.PASS
    unrewarded = check_golds(MathReward("last_number"), ["Paris"], rewarded=False)
    assert unrewarded.status is Status.WARN


def test_one_odd_gold_does_not_stop_a_run():
    golds = [str(i) for i in range(20)] + ["7/7"]  # 8/8 is 7/7
    check = check_golds(MathReward("boxed"), golds, rewarded=True)
    assert check.status is Status.WARN and "1 accepted" in check.detail and "'7/7'" in check.detail


@pytest.mark.parametrize("extract", list(module.FORMS))
def test_every_form_of_an_answer_is_one_that_the_verifier_reads(extract):
    golds = ["72", "1/2", r"so \boxed{5}", "two and two\n#### 4", "3.25"]
    assert check_golds(MathReward(extract), golds, rewarded=True).status is Status.PASS


@pytest.mark.parametrize(
    ("answer", "other"),
    [
        ("72", "73"),
        ("099", "100"),
        (r"\frac{1}{2}", r"\frac{2}{3}"),
        ("C", "D"),
        ("Z", "a"),
        ("Paris", "zebra"),
        ("zebra", "gnu"),
    ],
)
def test_perturbed_answers(answer, other):
    assert perturbed(answer) == other


def wrong_count(completions):
    return [1.0]


def raises(completions):
    raise KeyError("column")


def infinite(completions):
    return [float("inf")] * len(completions)


@pytest.mark.parametrize(
    ("reward", "detail"),
    [
        (wrong_count, "reward 'mine' returned 1 scores for"),
        (infinite, "reward 'mine' returned an infinite score"),
        (raises, "failed on every completion of the step, 16 in all. The first: completion 0: KeyError"),
    ],
)
def test_custom_rewards_that_are_broken(plain, reward, detail):
    rewards = WeightedSum({"mine": reward}, {"mine": 1.0})
    assert_fails(report_of(plain, rewards=rewards), "rewards", detail, "Mend the reward function")


def test_a_reward_that_can_score_nothing(plain):
    silent = WeightedSum({"mine": lambda batch: [None] * len(batch)}, {"mine": 1.0})
    check = found(report_of(plain, rewards=silent), "rewards")
    assert check.status is Status.WARN and "mine could score none of 16 samples" in check.detail


def test_process_rewards_are_tried():
    config = config_of(algo={"preset": "grpo_process"}, rewards={"process": "builtins:len"})
    setup = prepare(config)
    assert_fails(report_of((config, setup)), "rewards", "process reward 'builtins:len' returned a int")
    sound = dataclasses.replace(setup, process=lambda batch: [[(len(text), 1.0)] for text in batch.texts])
    assert found(report_of((config, sound)), "rewards").status is Status.PASS


def test_live_and_dead_groups(plain):

    def counting(batch):
        return [float(i == 5) for i in range(len(batch))]

    counting.whole_batch = True
    counting = WeightedSum({"mine": counting}, {"mine": 1.0})
    check = found(report_of(plain, rewards=counting), "live groups")
    assert check.status is Status.PASS and check.detail.startswith("1 of 4 groups of 4")
    same = WeightedSum({"mine": lambda batch: [0.3] * len(batch)}, {"mine": 1.0})
    check = found(report_of(plain, rewards=same), "live groups")
    assert check.status is Status.WARN
    assert "every group has the same reward" in check.detail and "nothing can be learnt" in check.mend
    _, setup = plain
    shaped = config_of(algo={"preset": "grpo", "kl": "k1", "kl_in": "reward", "kl_beta": 0.1})
    check = found(report_of((shaped, setup), rewards=same), "live groups")
    assert check.status is Status.SKIP and "equal rewards teach too" in check.detail


def test_samples_that_the_audit_itself_cut_off_say_nothing_of_groups(plain):
    config, setup = plain
    config = config_of(rollout={"max_new_tokens": 200})
    same = WeightedSum({"mine": lambda batch: [0.0] * len(batch)}, {"mine": 1.0})
    endless = dataclasses.replace(setup.policy, stop_tokens=[])
    report = report_of((config, setup), rewards=same, policy=endless)
    assert found(report, "live groups").status is Status.SKIP


@pytest.mark.parametrize("preset", sorted(ALGORITHMS))
@pytest.mark.parametrize("group_size", [5, 8])
def test_advantages_of_every_preset(preset, group_size):
    check = check_advantages(Algo(preset=preset), group_size)
    assert check.status in (Status.PASS, Status.SKIP), check
    if check.status is Status.SKIP:
        assert "depend on" in check.detail


def test_attempts_as_large_as_the_group():
    check = check_advantages(Algo(preset="pkpo", pass_k=4), 4)
    assert check.status is Status.WARN and "every group has one reward" in check.detail


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        (lambda found: {"values": -found.values}, "the winner's is not the largest"),
        (lambda found: {"values": np.maximum(found.values, 0)}, "those of the others are not below 0"),
        (lambda found: {"values": found.values + 1e-9}, "a group whose rewards are all 0.1 has a signal"),
        (
            lambda found: {"trainable": np.ones_like(found.trainable)},
            "a group whose rewards are all 0.1 has a signal",
        ),
        (
            lambda found: {"states": np.zeros_like(found.states)},
            "a group whose rewards are all 0.1 has a signal",
        ),
    ],
    ids=["negative", "clipped", "not zero", "trainable", "live"],
)
def test_advantages_that_are_wrong(monkeypatch, change, detail):
    own = module.compute_advantages

    def broken(*arguments, **options):
        found = own(*arguments, **options)
        return dataclasses.replace(found, **change(found))

    monkeypatch.setattr(module, "compute_advantages", broken)
    check = check_advantages(Algo(preset="dapo"), 8)
    assert check.status is Status.FAIL and detail in check.detail


# ---- Memory, and the untrained model -------------------------------------------------------------------


def test_memory(plain, monkeypatch):
    _, setup = plain
    if free_memory(torch.device("cpu")) is not None:
        assert check_memory(setup.memory, setup.learner).status is Status.PASS
    monkeypatch.setattr(module, "free_memory", lambda device: 1000)
    assert check_memory(setup.memory, setup.learner).status is Status.WARN
    monkeypatch.setattr(module, "free_memory", lambda device: None)
    assert check_memory(setup.memory, setup.learner).status is Status.SKIP


def test_the_untrained_model(plain):
    assert found(report_of(plain), "before training").detail.startswith("held-out accuracy 100.0 % [")
    cut = dataclasses.replace(ANSWER, finish=Finish.LENGTH)
    lost = dataclasses.replace(ANSWER, outcome=MathOutcome.GOLD_EMPTY)
    for answer, detail in ((cut, "100% of completions cut off"), (lost, "not scorable of 0 problems, 1 not")):
        evaluation = Evaluation([ProblemResult("?", "?", "2", (answer,))])
        check = found(report_of(plain, evaluation=evaluation), "before training")
        assert check.status is Status.WARN and detail in check.detail


# ---- In a run ------------------------------------------------------------------------------------------


def test_a_run_is_stopped_before_its_first_step(tmp_path, monkeypatch):
    monkeypatch.setitem(module.FORMS, "last_number", "I do not know%.0s")
    out = tmp_path / "run"
    config = config_of(run={"out": str(out)})
    with pytest.raises(
        ModelError, match=r"step-0 audit failed, so nothing was trained\. verifier"
    ) as refused:
        train(config)
    assert str(refused.value).endswith(
        f"start a new run; to keep the warm-up: --model.path {out}/checkpoints/step-000000 "
        "--warmup.max-steps 0"
    )
    assert (out / "metrics.jsonl").read_text() == ""
    assert not (out / "audit.json").exists()
    # Mended elsewhere than in its configuration, it is continued, and audited again.
    monkeypatch.undo()
    assert train(config, resume=True).summary["steps"] == 1
    assert (out / "audit.json").exists()


def test_it_runs_once(tmp_path, monkeypatch):
    calls = []
    own = module.audit

    def counted(*arguments, **options):
        calls.append(1)
        return own(*arguments, **options)

    monkeypatch.setattr("grpo_rs.train.loop.audit", counted)
    out = {"threads": 1, "out": str(tmp_path / "run")}
    train(config_of(run=out | {"steps": 2, "stop_after": 1}))
    train(config_of(run=out | {"steps": 2}), resume=True)
    assert len(calls) == 1
