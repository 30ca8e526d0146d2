"""Judge the replies of a model against reference answers, and say why."""

import grpo_rs as g
import numpy as np

replies = [
    r"Half of 144 is 72, so $\boxed{72}$.",
    "48 + 24 = 72\n#### 72",
    "The answer is 71.",
    r"\boxed{71 \text{ or } 72}",
    "<think>72?</think> I am not sure.",
    "It must be 72.",
]
golds = ["72", "72", "72", "72", "72", ""]

# Before a data set is used: which golds could no reply be scored against?
for index, reason in g.unreadable_golds(golds).items():
    print(f"gold {index}: {reason}")

verdicts = g.verify_math(replies, golds)
for index in range(len(verdicts)):
    print(f"{verdicts.scores[index]:>4} {verdicts.outcome(index).name:<18} {verdicts.explain(index)}")

# What counts as equal is a policy: does 50% answer 50?
lenient = g.verify_math(["50%"], ["50"])[0]
strict = g.verify_math(["50%"], ["50"], policy=g.MathPolicy(percent="value"))[0]
print("50% for 50:", lenient.score, "or", strict.score, "as", strict.normal_forms)

# Not scorable is not wrong: NaN stays out of every mean.
print("accuracy:", np.nanmean(verdicts.scores))

# Rewards of two groups of completions, as advantages.
advantages = g.group_advantages(verdicts.scores.astype(np.float64), group_ids=[0, 0, 0, 1, 1, 1])
print("advantages:", advantages.values.round(2), "trainable:", advantages.trainable)
