"""Train from Python instead of the command line: the embedded model for a few steps.

python train_in_python.py [STEPS]
"""

import json
import sys
import tempfile
from pathlib import Path

from grpo_rs.train.config import Config, EvalConfig, RolloutConfig, RunConfig, WarmupConfig
from grpo_rs.train.loop import train

steps = int(sys.argv[1]) if len(sys.argv) > 1 else 30

with tempfile.TemporaryDirectory() as folder:
    # What is not given keeps the default run's value.
    config = Config(
        rollout=RolloutConfig(prompts_per_step=16, group_size=8),
        warmup=WarmupConfig(max_steps=2 * steps, check_every=steps),
        eval=EvalConfig(max_prompts=64),
        run=RunConfig(out=str(Path(folder) / "run"), steps=steps, seed=1),
    )
    outcome = train(config)
    assert outcome.summary is not None  # it would be None if `should_stop` had stopped it

    lines = (outcome.path / "metrics.jsonl").read_text().splitlines()
    last = json.loads(lines[-1])
    print(f"{len(lines)} steps; the last: reward {last['reward/mean']:.3f}, {last['groups/live']:.0%} live")
    print(f"accuracy {outcome.summary['accuracy_before']:.1%} -> {outcome.summary['accuracy_after']:.1%}")
