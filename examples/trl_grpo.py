"""TRL's GRPOTrainer with the verifier as its reward: pip install trl 'grpo_rs[train]'."""

import sys
import tempfile

from grpo_rs import testing
from grpo_rs.adapters.trl import math_reward

try:
    from datasets import Dataset
    from trl import GRPOConfig, GRPOTrainer
except ImportError as error:
    sys.exit(f"this example needs trl ({error}): pip install trl 'grpo_rs[train]'")

problems, _ = testing.addition(digits=1, held_out=10, seed=0)
rows = [{"prompt": f"{p.a}+{p.b}=", "answer": str(p.answer)} for p in problems]

with tempfile.TemporaryDirectory() as folder:
    trainer = GRPOTrainer(
        model=testing.tiny_model(),  # or any model that TRL takes
        processing_class=testing.tiny_tokenizer(),
        reward_funcs=[math_reward(gold_column="answer", extract="whole")],
        train_dataset=Dataset.from_list(rows),
        args=GRPOConfig(
            output_dir=folder,
            max_steps=2,
            per_device_train_batch_size=8,
            num_generations=8,
            max_completion_length=4,
            logging_steps=1,
            save_strategy="no",
            report_to="none",
            use_cpu=True,
            bf16=False,
        ),
    )
    trainer.train()
