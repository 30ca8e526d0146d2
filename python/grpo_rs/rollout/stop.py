"""Stop strings: whether the last token of a completion has completed one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from grpo_rs.arrays import IntArray

# A token that is only part of a character shows nothing yet, and the left edge of a piece of text may be
# rendered otherwise than inside it: so much more than the longest stop text is looked at, in characters.
MARGIN = 8


class StopStrings:
    """Looks for texts at the end of token sequences.

    Only the tail is decoded: a text that ended further left would have ended the completion there.

    Args:
        texts: any of them ends a completion.
        decode: token ids to text.
    """

    def __init__(self, texts: Sequence[str], decode: Callable[[Sequence[int]], str]) -> None:
        self.texts = texts
        self._decode = decode
        self._characters = max(map(len, texts)) + MARGIN
        # A token has at least a byte, so as many tokens as the longest text has bytes always cover it, unless
        # some decode to nothing; usually a token is several characters.
        self._tokens = max(len(text.encode()) for text in texts) // 2 + MARGIN

    def ended(self, tokens: IntArray) -> bool:
        """Whether one of the texts is in what the tokens end with."""
        count = self._tokens
        tail = self._decode(tokens[-count:].tolist())
        while count < len(tokens) and len(tail) < self._characters:
            count *= 2
            tail = self._decode(tokens[-count:].tolist())
        return any(text in tail for text in self.texts)
