"""A reward function of your own, added to the verifier's.

From this folder:

python -m grpo_rs.train --rewards.custom custom_reward:three_digits 0.2

or in a TOML file:

[rewards.custom]
"custom_reward:three_digits" = 0.2
"""

from grpo_rs.rewards import Completions


def three_digits(completions: Completions) -> list[float | None]:
    """1 for a completion of exactly three digits, which is how the default run writes a sum.

    One number per completion of the whole batch. None would mean that it cannot be scored.
    """
    return [float(len(text) == 3 and text.isdigit()) for text in completions.texts]


if __name__ == "__main__":
    batch = Completions(texts=["042", "42", "042="], golds=["42"] * 3)
    print(three_digits(batch))
