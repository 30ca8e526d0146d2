"""Rewards of steps: what the user's function may return, and where steps end among the tokens."""

import math
import random
from itertools import pairwise

import grpo_rs as g
import numpy as np
import pytest
from grpo_rs.rewards import Completions, step_rewards
from grpo_rs.rewards.process import load_process_reward


class Pieces:
    """A tokenizer of byte strings; `special` ones have no text. Undecodable bytes become U+FFFD."""

    def __init__(self, *pieces, special=()):
        self.pieces, self.special = (
            [piece.encode() if isinstance(piece, str) else piece for piece in pieces],
            special,
        )

    def decode(self, rows):
        return [
            b"".join(self.pieces[i] for i in rows[row] if i not in self.special).decode(errors="replace")
            for row in range(len(rows))
        ]


class Spaced(Pieces):
    """As SentencePiece decodes: a space in front of the whole text is left out."""

    def decode(self, rows):
        return [text.removeprefix(" ") for text in super().decode(rows)]


def ends_of(tokenizer, rows, steps):
    """Where steps of reward 1 end, row by row."""
    tokens = g.Tokens.from_rows(rows)
    texts = tokenizer.decode(tokens)
    reward = lambda batch: [[(end, 1.0) for end in row] for row in steps]  # noqa: E731
    found = step_rewards("steps", reward, Completions(texts, [""] * len(rows)), tokens, tokenizer.decode)
    return [found.ends[a:b].tolist() for a, b in pairwise(found.offsets)]


def by_decoding_prefixes(tokenizer, row, end):
    """The definition: the first token at whose end the decoded prefix has the text up to `end`."""
    [text] = tokenizer.decode(g.Tokens.from_rows([row]))
    if end == len(text):
        return len(row) - 1
    prefixes = tokenizer.decode(g.Tokens.from_rows([row[: k + 1] for k in range(len(row))]))
    return next(k for k, prefix in enumerate(prefixes) if prefix[:end] == text[:end])


# ---- Where steps end -------------------------------------------------------------------------------------


def test_a_step_ends_with_the_token_that_completes_it():
    words = Pieces("ab", "c", "\n", "defg", "<end>", special=[4])
    assert ends_of(words, [[0, 1, 2, 3, 4]], [[2, 4]]) == [[0, 2]]
    assert ends_of(words, [[0, 1, 2, 3, 4]], [[1, 3, 5]]) == [[0, 1, 3]]  # "a" and "d" end inside of tokens


def test_a_step_that_ends_with_the_text_takes_in_the_end_of_sequence():
    words = Pieces("ab", "c", "<end>", special=[2])
    assert ends_of(words, [[0, 1, 2], [0, 1], [2]], [[2, 3], [3], [0]]) == [[0, 2], [1], [0]]


def test_characters_that_are_cut_between_tokens():
    euro, smile = "€".encode(), "😀".encode()
    bits = Pieces("a", euro[:1], euro[1:], b" " + smile[:2], smile[2:3], smile[3:], "b")
    row = [0, 1, 2, 3, 4, 5, 6]
    assert bits.decode(g.Tokens.from_rows([row])) == ["a€ 😀b"]
    # The space is there with the token that also begins the smile.
    assert ends_of(bits, [row], [[1, 2, 3, 4, 5]]) == [[0, 2, 3, 5, 6]]


def test_spaces_that_a_decoder_leaves_out_in_front():
    words = Spaced(" a", " b", "c", " ", "d")
    row = [0, 1, 2, 3, 4, 1]
    assert words.decode(g.Tokens.from_rows([row])) == ["a bc d b"]
    for end in range(1, 8):
        assert ends_of(words, [row], [[end]]) == [[by_decoding_prefixes(words, row, end)]], end


@pytest.mark.parametrize("kind", [Pieces, Spaced])
def test_any_cut_into_tokens_as_by_decoding_every_prefix(kind):
    drawn = random.Random(1)
    for _ in range(40):
        text = "".join(drawn.choice("a é€😀 \n") for _ in range(drawn.randint(1, 12))).encode()
        places = sorted({0, len(text), *(drawn.randrange(len(text)) for _ in range(drawn.randint(0, 12)))})
        tokenizer = kind(*(text[i:j] for i, j in pairwise(places)), "<end>", special=[len(places) - 1])
        row = list(range(len(places)))
        [decoded] = tokenizer.decode(g.Tokens.from_rows([row]))
        for end in range(1, len(decoded) + 1):
            expected = by_decoding_prefixes(tokenizer, row, end)
            assert ends_of(tokenizer, [row], [[end]]) == [[expected]], (text, places, end)


def test_bytes_that_are_no_text_have_ends_too():
    drawn = random.Random(2)
    noise = Pieces(*(bytes([drawn.randrange(128, 256)]) for _ in range(40)), "a", " ")
    for _ in range(20):
        row = [drawn.randrange(42) for _ in range(30)]
        [text] = noise.decode(g.Tokens.from_rows([row]))
        [ends] = ends_of(noise, [row], [range(1, len(text) + 1)])
        assert ends == sorted(ends) and ends[-1] == 29


def test_several_steps_end_within_one_token():
    words = Pieces("a", "b", "1.2.3.", "c")
    assert ends_of(words, [[0, 1, 2, 3]], [[4, 6, 8]]) == [[2, 2, 2]]
    assert ends_of(words, [[2, 0], [0, 3]], [[2, 4, 7], [1]]) == [[0, 0, 1], [0]]


# ---- What a function may return --------------------------------------------------------------------------

TEXTS = Pieces("a", "b")
ROWS = [[0, 1], [0, 0, 1]]


def scored(returned):
    tokens = g.Tokens.from_rows(ROWS)
    batch = Completions(TEXTS.decode(tokens), ["", ""])
    return step_rewards("mine:steps", lambda completions: returned, batch, tokens, TEXTS.decode)


def test_what_cannot_be_scored_has_no_step_or_no_reward():
    found = scored([None, [(1, 0.5), (np.int64(2), None), (3, True)]])
    np.testing.assert_array_equal(found.rewards, [0.5, math.nan, 1.0])
    assert found.ends.tolist() == [0, 1, 2]
    assert found.offsets.tolist() == [0, 0, 3]


def test_arrays_are_as_good_as_lists():
    found = scored(([[2, 1.0]], np.array([(1, 2), (3, 4)])))
    assert found.rewards.tolist() == [1.0, 2.0, 4.0]


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        ([None], "'mine:steps' returned 1 entries for 2 completions: it must return one list of steps each"),
        (None, "returned a NoneType for 2 completions"),
        (1.0, "returned a float"),
        ("ab", "returned a str"),
        ([None, []], "'mine:steps', completion 1: got .*at least one"),
        ([None, 1.0], "completion 1: got 1.0; give a list with at least one"),
        ([None, [1.0]], r"completion 1: 1.0 is not a step \(end, reward\)"),
        ([None, [(1, 2, 3)]], r"\(1, 2, 3\) is not a step"),
        ([None, [(1.5, 1.0)]], "is not a step"),
        ([None, [(1, "good")]], "is not a step"),
        ([[(0, 1.0)], None], "completion 0: a step ends at 0, behind one that ends at 0, in a text of 2"),
        ([[(1, 1.0), (1, 1.0)], None], "a step ends at 1, behind one that ends at 1"),
        ([[(2, 1.0), (1, 1.0)], None], "a step ends at 1, behind one that ends at 2"),
        ([[(3, 1.0)], None], "a step ends at 3, .* in a text of 2 characters"),
        ([[(1, math.inf)], None], "the step that ends at 1 is infinite"),
    ],
)
def test_a_process_reward_that_misbehaves_is_named(returned, message):
    with pytest.raises(g.InputError, match=message):
        scored(returned)


def test_a_process_reward_is_loaded_by_name():
    assert load_process_reward("grpo_rs.rewards:step_rewards") is step_rewards
    with pytest.raises(g.InputError, match="module:function"):
        load_process_reward("mine")
