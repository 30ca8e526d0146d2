"""The tiny model, tokenizer and task of the default run, for tests and examples: no download, no network.

torch and transformers are imported inside the functions, so that the task alone needs neither.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

# One token each; padding, end and unknown come before them. No more than the task needs: with tied
# embeddings, every token that never occurs slows a model this small down.
CHARACTERS = "0123456789+= "
PAD, END, UNKNOWN = "<pad>", "<end>", "<unk>"


@dataclass(frozen=True)
class Sum:
    """A generated problem: two numbers to be added."""

    a: int
    b: int

    @property
    def answer(self) -> int:
        """Their sum."""
        return self.a + self.b

    @property
    def units(self) -> int:
        """The sum of their last digits: the first step of adding by hand."""
        return self.a % 10 + self.b % 10


def addition(digits: int, *, held_out: int, seed: int) -> tuple[list[Sum], list[Sum]]:
    """All sums of two numbers of at most `digits` digits, shuffled and split in two.

    a + b and b + a are on the same side of the split, so nothing held out was trained on in disguise.

    Args:
        digits: the numbers are 0 to 10 ** digits - 1.
        held_out: least size of the second part; a pair may make it one larger.
        seed: of the shuffle.

    Returns:
        Problems to train on, and problems held out.
    """
    top = 10**digits
    pairs = [(a, b) for a in range(top) for b in range(a, top)]
    random.Random(seed).shuffle(pairs)
    train: list[Sum] = []
    kept: list[Sum] = []
    for a, b in pairs:
        part = kept if len(kept) < held_out else train
        part.append(Sum(a, b))
        if a != b:
            part.append(Sum(b, a))
    shuffle = random.Random(seed + 1).shuffle
    shuffle(train)
    shuffle(kept)
    return train, kept


def tiny_tokenizer(characters: str = CHARACTERS) -> PreTrainedTokenizerFast:
    """A tokenizer of one token a character, in Hugging Face form: `save_pretrained` works."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    vocabulary = {token: i for i, token in enumerate([PAD, END, UNKNOWN, *characters])}
    core = Tokenizer(models.WordLevel(vocabulary, unk_token=UNKNOWN))
    core.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    core.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        eos_token=END,
        pad_token=PAD,
        unk_token=UNKNOWN,
        clean_up_tokenization_spaces=False,
    )


def tiny_model(
    seed: int = 0,
    *,
    vocabulary: int = 3 + len(CHARACTERS),
    hidden_size: int = 128,
    num_layers: int = 2,
    num_heads: int = 4,
    max_positions: int = 256,
) -> LlamaForCausalLM:
    """A Llama of 0.43 million parameters with random weights, for `tiny_tokenizer`.

    Args:
        seed: of the weights; torch's global random state is left as it was.
        vocabulary: tokens of its tokenizer.
        hidden_size, num_layers, num_heads: its shape.
        max_positions: longest sequence it takes, in tokens.
    """
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=hidden_size,
        intermediate_size=3 * hidden_size,
        num_hidden_layers=num_layers,
        num_attention_heads=num_heads,
        num_key_value_heads=num_heads,
        max_position_embeddings=max_positions,
        tie_word_embeddings=True,
        # Twice the usual 0.02: a model this narrow learns digits faster from there.
        initializer_range=0.04,
        bos_token_id=None,
        eos_token_id=1,
        pad_token_id=0,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return LlamaForCausalLM(config)
