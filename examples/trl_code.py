"""TRL's GRPOTrainer with tests as its reward: pip install trl 'grpo_rs[train]'."""

import sys
import tempfile

import grpo_rs as g
from grpo_rs import testing
from grpo_rs.adapters.trl import code_reward

try:
    from datasets import Dataset
    from trl import GRPOConfig, GRPOTrainer
except ImportError as error:
    sys.exit(f"this example needs trl ({error}): pip install trl 'grpo_rs[train]'")

runner = g.CodeRunner(g.Limits(cpu_s=1.0))
if not runner.protection.sufficient:
    sys.exit(f"no program was run: {runner.protection.reasons}")

rows = [{"prompt": f"{n}+1=", "tests": f"assert add({n}, 1) == {n + 1}"} for n in range(32)]

with runner, tempfile.TemporaryDirectory() as folder:
    trainer = GRPOTrainer(
        model=testing.tiny_model(),  # it writes digits, no programs: every reward is 0
        processing_class=testing.tiny_tokenizer(),
        reward_funcs=[code_reward(tests_column="tests", runner=runner)],
        train_dataset=Dataset.from_list(rows),
        args=GRPOConfig(
            output_dir=folder,
            max_steps=1,
            per_device_train_batch_size=8,
            num_generations=8,
            max_completion_length=4,
            save_strategy="no",
            report_to="none",
            use_cpu=True,
            bf16=False,
        ),
    )
    trainer.train()
