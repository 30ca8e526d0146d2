"""Writes docs/{metrics,config,outcomes,policy,presets}.md from the code that defines what they list.

`python docs/generate.py` writes them; with `--check` it writes nothing, and exits with 1 if one is stale.
"""

from __future__ import annotations

import argparse
import dataclasses
import re
import sys
import types
import typing
from pathlib import Path
from typing import Annotated, Literal, Union, get_args, get_origin

from grpo_rs import MathPolicy, _core, verify_math
from grpo_rs.algo.knobs import OFF, USES, Algo
from grpo_rs.algo.presets import ALGORITHMS, TRAINERS, Preset, preset
from grpo_rs.train.config import Config, Section
from grpo_rs.train.log import METRICS
from pydantic.fields import FieldInfo

DOCS = Path(__file__).parent
HEADER = "<!-- Written by docs/generate.py. Do not edit: change the code and run it again. -->\n\n"
# Gold and prediction for each switch: the first pair is one on which its settings differ.
EXAMPLES = {
    "rounding": [("1/3", "0.3333"), ("1/3", "0.333"), ("3.14159265", "3.141593"), ("3.14", "3.1416")],
    "percent": [("50", r"50\%"), ("0.5", r"50\%"), ("0.5", "50")],
    "units": [("5 cm", "5 kg"), ("1 m", "100 cm"), ("5", "5 cm")],
    "radians": [(r"\pi/6", r"30^\circ"), (r"30^\circ", "30")],
    "assignment": [("5", "x = 5"), ("2x + 3", "y = 2x + 3"), ("y = 5", "x = 5")],
    "chain": [("12", "97 = 12"), ("12", "x = 3 + 9 = 12")],
    "order": [("1, 2", "2, 1"), ("(1, 2)", "(2, 1)")],
    "solution_sets": [(r"(-\infty, 2)", "x < 2"), ("(1, 2)", "1 < x < 2")],
    "base_optional": [("2516_8", "2516"), ("2516_8", "1358")],
    "choice": [("(C) 12", "12"), ("(C) 12", "C"), ("(C) 12", "(D) 12")],
    "ignore_case": [("yes", "Yes"), ("x", "X")],
    "effort": [("1/2", "2/4"), ("1024", "2^{10}"), ("1/2", r"\frac{1}{2}")],
}
# Settings of the one switch that is a number.
ROUNDINGS = (4, 6, None)
# Knobs of a preset that are named even where they are at `Algo`'s default.
ALWAYS_SHOWN = (
    "weight_max",
    "baseline",
    "scale",
    "zero_variance",
    "anchor",
    "gate",
    "clip_low",
    "clip_high",
    "aggregate",
    "kl",
)
# Knobs that some preset sets, in the order of `Algo`.
PRESETS_KNOBS = [
    knob
    for knob in Algo.model_fields
    if any(knob in entry.knobs for entry in (*ALGORITHMS.values(), *TRAINERS.values()))
]
SIGNS = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}


def metrics() -> str:
    """Every metric with its formula."""
    rows = [(f"`{name}`", formula) for name, formula in METRICS.items()]
    return f"""# Metrics

`metrics.jsonl` in the run directory has one JSON object per GRPO step. Each line is written when its step
ends. A number that JSON cannot hold is `null`. `*` stands for a name: of a reward, of an outcome
([outcomes.md](outcomes.md)), of a phase.

A metric is missing from a line when it has no meaning there: `train/kl` without a reference, `eval/*` between
evaluations, and all `train/*` but `train/rows` and `train/tokens`, `staleness/*` and `waste/padding` when no
group carries a signal.

{_table(("Metric", "Formula"), rows)}"""


def config() -> str:
    """Every key of the configuration."""
    sections = []
    for name, field in Config.model_fields.items():
        section = getattr(Config(), name)
        assert isinstance(section, Section)
        rows = [
            (
                f"`{key}`",
                _type(entry),
                _default(name, getattr(section, key), entry),
                _line(entry.description or ""),
            )
            for key, entry in type(section).model_fields.items()
        ]
        about = _line(field.description or type(section).__doc__ or "")
        sections.append(f"## [{name}]\n\n{about}\n\n{_table(('Key', 'Type', 'Default', ''), rows)}")
    body = "\n".join(sections)
    return f"""# Configuration

Values come from a TOML file, and from options of the command line, which win:

```
python -m grpo_rs.train FILE.toml --section.key value
```

A key that is not listed here is refused, with the nearest spelling. In options `-` and `_` are the same. A
key whose default is `None` is left out of a TOML file to keep it so. The defaults are the values of the
default run, `python -m grpo_rs.train` without arguments: **a file states what differs from that run**, so one
for another model or task usually sets `model.path`, the section `data`, `rollout.max_new_tokens`, `optim.lr`,
`run.steps` and `warmup.max_steps = 0`. The resolved configuration is written to
`config.json` in the run directory.

{body}"""


def outcomes() -> str:
    """Every outcome code."""

    def table(listed: list[tuple[str, int, bool, str]], score: dict[str, str]) -> str:
        rows = [
            (str(code), f"`{name}`", score.get(name, "0") if scorable else "none", _line(text))
            for name, code, scorable, text in sorted(listed, key=lambda entry: entry[1])
        ]
        return _table(("Code", "Name", "Score", "Meaning"), rows)

    return f"""# Outcomes

Every verdict carries a code. Codes are stable: they are written to run directories and returned in arrays,
and a recorded code keeps its meaning. A code of 16 or more means that the fault is not the model's, and there
is no score: NaN in arrays, `None` in the TRL adapter, never a silent 0.

## Maths: `grpo_rs.MathOutcome`

{table(_core.math_outcomes(), {"CORRECT": "1"})}
## Code: `grpo_rs.CodeOutcome`

One code for each program and test. The score of a program is the share of its tests with code 0.

{table(_core.sandbox_outcomes(), {"PASSED": "1"})}"""


def policy() -> str:
    """Every switch of `MathPolicy`, with what the verifier does under each setting."""
    about = _attributes(MathPolicy.__doc__ or "")
    hints = typing.get_type_hints(MathPolicy)
    presets = _core.math_policies()
    sections = []
    for field in dataclasses.fields(MathPolicy):
        settings = _settings(hints[field.name], field.name)
        head = ("Gold", "Prediction", *(f"`{_toml(setting)}`" for setting in settings))
        rows = [
            (f"`{gold}`", f"`{prediction}`", *(_judged(field.name, s, gold, prediction) for s in settings))
            for gold, prediction in EXAMPLES[field.name]
        ]
        sections.append(f"## {field.name}\n\n{about[field.name]}\n\n{_table(head, rows)}")
    switches = [
        (f"[`{name}`](#{name})", *(f"`{_toml(preset[name])}`" for preset in presets.values()))
        for name in about
    ]
    body = "\n".join(sections)
    return f"""# What counts as equal

Where mathematics alone does not say, `MathPolicy` does: a frozen dataclass with one field per switch.

```python
import grpo_rs as g

v = g.verify_math(["50%"], ["50"], policy=g.MathPolicy(percent="value"))
assert v.scores.tolist() == [0.0]
```

On the command line: `grpo-rs verify math FILE.jsonl --set percent=value`, or `--policy math-verify`. The
defaults, and the ready-made policies `MathPolicy.math_verify()` and `MathPolicy.string_match()`:

{_table(("Switch", "default", "math_verify", "string_match"), switches)}
Below is what the verifier decides under each setting, all else at its default: `=` equal, `≠` not.

{body}"""


def presets() -> str:
    """Every preset with its paper, its knobs and what it leaves to the rest of the configuration."""

    def table(listed: dict[str, Preset]) -> str:
        rows = [
            (f"`{name}`", _line(entry.summary), _papers(entry.paper), _knobs(name), _line(_outside(entry)))
            for name, entry in listed.items()
        ]
        return _table(("Preset", "What it is", "Paper", "Knobs", "Outside the objective"), rows)

    return f"""# Presets

`[algo] preset = "NAME"`, `--algo.preset NAME`, or `grpo_rs.algo.presets.preset("NAME")`: the objective of an
algorithm, or of another trainer's defaults. Any knob beside it overrides. [algorithms.md](algorithms.md) says
what the knobs mean; those below are the ones that act, without those at their usual value. What a method
does outside the objective is in the last column: configuration keys with published values, and machinery
that is not part of a preset.

## Algorithms

{table(ALGORITHMS)}
## Defaults of other trainers

Each reproduces loss and gradient of that trainer, as far as the last column does not say otherwise.

{table(TRAINERS)}"""


def _knobs(name: str) -> str:
    algo = preset(name)
    shown = []
    for knob in PRESETS_KNOBS:
        value, use = getattr(algo, knob), USES.get(knob)
        rests = value in OFF[knob] if knob in OFF else value is None or value is False
        usual = knob not in ALWAYS_SHOWN and value == Algo.model_fields[knob].default
        if not rests and not usual and (use is None or use.acts(algo)):
            shown.append(f"{knob} {value:g}" if isinstance(value, float) else f"{knob} {_toml(value)}")
    return ", ".join(shown)


def _papers(text: str) -> str:
    return re.sub(r"\b\d{4}\.\d{5}\b", lambda found: f"[{found[0]}](https://arxiv.org/abs/{found[0]})", text)


def _outside(entry: Preset) -> str:
    recipe = "; ".join(f"`{key}` {_toml(value)}" for key, value in entry.recipe.items())
    return ". ".join(filter(None, [recipe, entry.outside]))


def _attributes(docstring: str) -> dict[str, str]:
    """The descriptions in a docstring's section of attributes, by name."""
    section = re.search(r"Attributes:\n(.*?)\n\n", docstring, re.DOTALL)
    assert section is not None
    entries = re.findall(r"^ {8}(\w+): (.*?)(?=^ {8}\w|\Z)", section[1], re.DOTALL | re.MULTILINE)
    return {name: text[0].upper() + " ".join(text.split())[1:] for name, text in entries}


def _settings(hint: object, name: str) -> tuple[object, ...]:
    if get_origin(hint) is Literal:
        return get_args(hint)
    return (True, False) if hint is bool else ROUNDINGS


def _judged(name: str, setting: object, gold: str, prediction: str) -> str:
    policy = dataclasses.replace(MathPolicy(), **{name: setting})
    [score] = verify_math([f"\\boxed{{{prediction}}}"], [gold], policy=policy).scores.tolist()
    return "=" if score == 1 else "≠"


def _toml(value: object) -> str:
    return str(value).lower() if value is None or isinstance(value, bool) else str(value)


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    cells = [[cell.replace("|", "\\|") for cell in line] for line in lines]
    return "".join(f"| {' | '.join(line)} |\n" for line in cells)


def _line(text: str) -> str:
    text = " ".join(text.split())
    # A bare "<think>" would be taken for HTML.
    return text.replace("<", "&lt;")


def _type(field: FieldInfo) -> str:
    bounds = {
        sign: f"{getattr(limit, key):g}"
        for limit in field.metadata
        for key, sign in SIGNS.items()
        if getattr(limit, key, None) is not None
    }
    name = _name(field.annotation)
    if bounds.keys() == {">=", "<="}:
        return f"{name}, {bounds['>=']} to {bounds['<=']}"
    return " ".join([name, *(f"{sign} {bound}" for sign, bound in bounds.items())])


def _name(annotation: object) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return ", ".join(f'`"{value}"`' for value in arguments)
    if origin is Annotated:
        return _type(FieldInfo.from_annotation(annotation))
    if origin in (Union, types.UnionType):
        return " or ".join("None" if part is type(None) else _name(part) for part in arguments)
    if origin is not None:
        return f"{origin.__name__} of ({'; '.join(_name(part) for part in arguments)})"
    return getattr(annotation, "__name__", str(annotation))


def _default(section: str, value: object, field: FieldInfo) -> str:
    shown = f"`{value!r}`"
    alone = field.get_default(call_default_factory=True)
    if alone == value:
        return shown
    return f"{shown}; `{alone!r}` if the file has a table `[{section}]` without this key"


PAGES = {
    "metrics.md": metrics,
    "config.md": config,
    "outcomes.md": outcomes,
    "policy.md": policy,
    "presets.md": presets,
}


def main() -> int:
    """Writes or checks the pages; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if a page is stale")
    check = parser.parse_args().check
    stale = []
    for name, page in PAGES.items():
        path, text = DOCS / name, HEADER + page()
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(f"docs/{name}")
            if not check:
                path.write_text(text, encoding="utf-8")
    if stale:
        print(("stale: " if check else "written: ") + ", ".join(stale))
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
