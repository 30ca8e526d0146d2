"""Configuration: typed, strict about what it does not know, with messages that say how to mend it."""

from typing import get_args

import grpo_rs as g
import pytest
from grpo_rs import _core
from grpo_rs.algo.presets import PRESETS, preset
from grpo_rs.errors import ConfigError
from grpo_rs.math import PolicyName
from grpo_rs.train.config import (
    Config,
    ModelConfig,
    RewardConfig,
    config_from_dict,
    flatten,
    parse_command_line,
)


def write(tmp_path, text):
    path = tmp_path / "run.toml"
    path.write_text(text)
    return str(path)


def test_the_generated_sums_are_scored_by_the_number_that_ends_them():
    """Read as a whole, "15 055" is 15,055: a default run once learnt nothing for that reason."""
    config = Config()
    completions = [
        config.data.solution.format(a=a, b=b, answer=a + b, units=a % 10 + b % 10)
        for a in range(0, 100, 7)
        for b in range(0, 100, 3)
    ]
    golds = [str(a + b) for a in range(0, 100, 7) for b in range(0, 100, 3)]
    assert g.verify_math(completions, golds, extract=config.answer_form()).scores.all()
    boxed = config_from_dict({"rewards": {"extract": "boxed"}})
    assert boxed.answer_form() == "boxed"
    assert config_from_dict({"data": {"train": "problems.jsonl"}}).answer_form() == "auto"


def test_no_arguments_is_the_default_run():
    command = parse_command_line([])
    assert command.resolved() == Config()
    assert not command.resume and not command.dry_run


def test_command_line_over_file_over_default(tmp_path):
    path = write(tmp_path, "[optim]\nlr = 0.5\nwarmup_steps = 3\n[rollout]\ngroup_size = 4\n")
    config = parse_command_line([path, "--optim.lr", "0.25", "--run.out", "somewhere"]).resolved()
    assert config.optim.lr == 0.25
    assert config.optim.warmup_steps == 3
    assert config.rollout.group_size == 4
    assert config.run.out == "somewhere"
    assert config.algo == Config().algo


# ---- The objective -------------------------------------------------------------------------------------


def test_a_preset_is_below_the_file_and_the_file_below_the_command_line(tmp_path):
    path = write(tmp_path, "[algo]\npreset = 'gspo'\nepochs = 3\nclip_low = 0.1\n")
    of_file = parse_command_line([path]).resolved().algo
    assert of_file == preset("gspo", epochs=3, clip_low=0.1)
    turned = parse_command_line([path, "--algo.clip-low", "0.15"]).resolved().algo
    assert turned == preset("gspo", epochs=3, clip_low=0.15)


@pytest.mark.parametrize("words", [["--algo.preset", "dapo"], ["--algo.preset=dapo"]])
def test_a_preset_of_the_command_line_takes_the_place_of_the_files(tmp_path, words):
    """The knobs that the file states stay; those of its preset go."""
    path = write(tmp_path, "[algo]\npreset = 'gspo'\nclip_low = 0.1\n")
    found = parse_command_line([path, *words, "--algo.clip_high", "0.3"]).resolved().algo
    assert found == preset("dapo", clip_low=0.1, clip_high=0.3)
    assert found.ratio == "token" and preset("gspo").ratio == "sequence"


def test_names_of_other_trainers(tmp_path):
    path = write(tmp_path, "[algo]\npreset = 'dapo'\nepsilon = 0.15\n")
    words = [path, "--algo.epsilon_high", "0.4", "--algo.loss-type=dr_grpo"]
    found = parse_command_line(words).resolved().algo
    assert found == preset("dapo", epsilon=0.15, epsilon_high=0.4, loss_type="dr_grpo")
    assert (found.clip_low, found.clip_high, found.aggregate) == (0.15, 0.4, "constant")
    assert config_from_dict({"algo": {"beta": 0.1}}).algo.kl_beta == 0.1


@pytest.mark.parametrize("words", [["--algo.value-clip", "none"], ["--algo.value_clip=none"]])
def test_none_is_written_alike_in_a_file_and_on_the_command_line(tmp_path, words):
    path = write(tmp_path, "[algo]\npreset = 'ppo'\nvalue_clip = 0.3\n")
    assert parse_command_line([path, *words]).resolved().algo == preset("ppo", value_clip=None)
    kept = (
        parse_command_line([path, "--algo.dual-clip", "4", "--algo.value-bounds", "0", "1"]).resolved().algo
    )
    assert kept == preset("ppo", value_clip=0.3, dual_clip=4.0, value_bounds=(0.0, 1.0))


def test_every_preset_can_be_written_and_read_back():
    for name in PRESETS:
        config = Config(algo=preset(name))
        assert Config.model_validate(config.model_dump(mode="json")) == config, name


def test_every_preset_trains_or_says_what_is_missing():
    for name in PRESETS:
        try:
            rewards = RewardConfig(math=0.9, format=0.1)
            Config(algo=preset(name), model=ModelConfig(teacher="tiny"), rewards=rewards).check()
        except ConfigError as error:
            missing = "rewards.process" in str(error) and preset(name).transform == "process"
            assert missing or preset(name).baseline == "critic", name


def test_flags():
    command = parse_command_line(["--resume", "--dry-run"])
    assert command.resume and command.dry_run


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[optim]\nlearning_rate = 1\n", "unknown key optim.learning_rate"),
        ("[optim]\nlrr = 1\n", r"unknown key optim.lrr .*did you mean optim.lr\?"),
        ("[rolout]\ngroup_size = 4\n", r"unknown key rolout .*did you mean rollout\?"),
        ("group_size = 4\n", "unknown key group_size"),
        ("optim = 3\n", r"write \[optim\]"),
        ("[optim]\nlr = 'fast'\n", "optim.lr is 'fast'"),
        ("[optim]\nlr = -1.0\n", "optim.lr is -1.0"),
        ("[rollout]\ngroup_size = 1\n", "at least 2"),
        ("[rewards]\nmath = 0\n", "every reward has weight 0"),
        ("[algo]\naggregate = 'mean'\n", "algo.aggregate is 'mean'"),
        ("[algo]\npreset = 'dappo'\n", r"no preset is called 'dappo': did you mean dapo"),
        ("[algo]\nclip_hgh = 0.3\n", r"unknown key algo.clip_hgh .*did you mean algo.clip_high\?"),
        ("[algo]\nkl = 'k1'\nkl_beta = 0.1\n", "kl = k1 in the loss"),
        ("[algo]\npreset = 'grpo_process'\n", "rewards the steps of completions in rewards.process"),
        ("[rewards]\nprocess = 'mine:steps'\n", 'set algo.preset to "grpo_process"'),
        ("[rewards]\npolicy = 'math_verfy'\n", "rewards.policy is 'math_verfy'.*'math_verify'"),
        ("[data]\ntemplate = 'Q: '\n", r"data.template has no \{question\}"),
        ("[data]\ntemplate = 'Q: {question} {answer}'\n", r"field other than \{question\} \('answer'\)"),
        (
            "[data]\ntemplate = 'In \\\\boxed{}: {question}'\n",
            r"\(''\): write braces of the text as \{\{ and \}\}",
        ),
        ("[data]\ntemplate = '{question!r}'\n", "field other than"),
        ("[data]\ntemplate = '{question:>9}'\n", "field other than"),
        ("[data]\ntemplate = '{question.upper}'\n", "field other than"),
        ("[data]\ntemplate = '{question} }'\n", "no format string: Single '}'.*write braces"),
        ("[data]\ntemplate = '{question}'\nchat = 'always'\n", "takes the place of a chat template"),
        ("[data]\ntemplate = '{question}'\nsystem = 'Be brief.'\n", "takes the place of a chat template"),
        ("[algo]\npreset = 'opd'\n", "model.teacher"),
        ("[algo]\npreset = 'gdpo'\n", "give another one"),
        ("[algo]\npreset = 'spo'\n[rewards]\nformat = 0.5\n", "rewards from 0 to 1"),
        ("[algo]\npreset = 'pkpo'\n[rollout]\ngroup_size = 2\n", "lower algo.pass_k"),
        ("[algo]\nreference_every = 5\n", "reference_every"),
        ("[optim]\nwarmup_steps = 5\nwarmup_ratio = 0.1\n", "give one of them"),
        ("[optim]\nbetas = [0.9, 1.0]\n", "optim.betas has a 1"),
        ("[algo]\npreset = 'ppo'\n[run]\nsteps = 10\n", "never be trained"),
        ("[learner]\ntoken_budget = 0\n", "token_budget"),
        ("[learner]\ntoken_budget = 'all'\n", "token_budget"),
        ("[eval]\ntemperature = 0.6\n", "eval.samples 1, which is greedy"),
        ("[rollout]\nsubset_statistics = 'group'\n", "set rollout.subset, or leave"),
        ("[rewards]\noverlong = 0.5\n", "set rewards.overlong_tokens, or leave"),
        ("[optim\n", "not valid TOML"),
    ],
)
def test_mistakes_in_a_file(tmp_path, text, message):
    with pytest.raises(ConfigError, match=message):
        parse_command_line([write(tmp_path, text)])


def test_policies_are_those_of_the_verifier():
    assert set(get_args(PolicyName)) == set(_core.math_policies())
    for name in get_args(PolicyName):
        assert config_from_dict({"rewards": {"policy": name}}).rewards.policy == name
    assert g.MathPolicy.named("default") == g.MathPolicy()
    assert g.MathPolicy.named("math_verify") == g.MathPolicy.math_verify() != g.MathPolicy()
    assert g.MathPolicy.named("string_match") == g.MathPolicy.string_match()


def test_a_missing_file():
    with pytest.raises(ConfigError, match="cannot read nowhere.toml"):
        parse_command_line(["nowhere.toml"])


def test_unknown_option_is_refused_with_a_suggestion(capsys):
    with pytest.raises(SystemExit) as exit_info:
        parse_command_line(["--optim.learning-rat", "1"])
    assert exit_info.value.code == 2
    assert "optim" in capsys.readouterr().err


def test_group_size_one_on_the_command_line_says_how_to_mend_it(capsys):
    """Whichever of the two reports it, the words must reach the user."""
    try:
        parse_command_line(["--rollout.group-size", "1"])
    except ConfigError as error:
        text = str(error)
    except SystemExit:
        text = " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert "at least 2" in text


def test_every_key_is_documented():
    for section_name, section in Config.model_fields.items():
        for key, field in section.annotation.model_fields.items():
            assert field.description, f"{section_name}.{key} has no docstring"


def test_a_written_configuration_reads_back():
    config = parse_command_line(["--rewards.custom", "tests.mod:fn", "0.5"]).resolved()
    assert config.rewards.custom == {"tests.mod:fn": 0.5}
    assert config_from_dict(config.model_dump(mode="json")) == config
    assert flatten(config)["rewards.custom"] == {"tests.mod:fn": 0.5}


def test_learning_rate_schedules():
    from grpo_rs.train.schedule import learning_rate

    optim = Config().optim.model_copy(update={"lr": 1.0, "final_fraction": 0.1, "warmup_steps": 2})
    rates = [learning_rate(optim, step, 12) for step in range(12)]
    assert rates[:3] == pytest.approx([1 / 3, 2 / 3, 1.0])
    assert rates[-1] == pytest.approx(0.1)
    assert rates[2:] == sorted(rates[2:], reverse=True)
    constant = optim.model_copy(update={"schedule": "constant"})
    assert learning_rate(constant, 11, 12) == 1.0
    ratio = optim.model_copy(update={"warmup_steps": 0, "warmup_ratio": 0.25})
    by_steps = optim.model_copy(update={"warmup_steps": 3})
    assert [learning_rate(ratio, s, 12) for s in range(12)] == [
        learning_rate(by_steps, s, 12) for s in range(12)
    ]
    cosine = optim.model_copy(update={"schedule": "cosine", "warmup_steps": 0})
    assert learning_rate(cosine, 5, 11) == pytest.approx(0.55)
    assert learning_rate(cosine, 0, 1) == 1.0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--algo.kl-beta", "0.1"], "^algo: kl_beta = 0.1 without an estimator"),
        (
            ["--algo.preset=dapo", "--algo.sapo-tau-positive=2"],
            "^algo: sapo_tau_positive = 2.0 has no effect",
        ),
        (["--algo.clip-low", "abc"], "algo.clip_low is 'abc'"),
    ],
)
def test_knobs_of_the_command_line_are_refused_by_the_same_sentence_as_in_a_file(words, message):
    with pytest.raises(ConfigError, match=message):
        parse_command_line(words)


def test_switches_of_the_command_line():
    on = parse_command_line(["--algo.overlong-filter", "--algo.preset", "dapo"])
    assert on.algo.overlong_filter
    assert not parse_command_line(["--algo.no-overlong-filter"]).algo.overlong_filter
    assert parse_command_line(
        ["--algo.preset", "bpco", "--algo.value-bounds", "0", "2"]
    ).algo.value_bounds == (0, 2)
