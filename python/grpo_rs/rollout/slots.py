"""Decoding with a static key-value cache in which the completions of a group share their prompt's entries.

A prompt is read once, without padding, and its keys and values stay in a lane of the cache. A completion has
a slot for its own. In a step, the queries of all completions of a lane meet the prompt's keys in one matrix
product, each meets its own keys in another, and one softmax runs over both: no key is copied for a
completion, and none is repeated for the query heads that share it. Slots in use are always the first ones:
when a completion leaves, the last one takes its place, and so it is with lanes.

Models reach this through the attention interface of transformers, untouched: `SlotCache` goes in as
`past_key_values`, and the plan of a forward pass as a keyword argument that arrives at the attention
function. Calls without a plan go to the implementation that the model had before.

Shapes: R = completions that run, G = lanes (prompts) in use, M = most completions of a lane, L = tokens of
the packed prompts, B = prompts read at once, W = longest of them, P = tokens of a lane, T = tokens of a
slot, H = query heads, J = key and value heads, Q = H / J, K = head size, V = vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from transformers import Cache, PreTrainedModel

from grpo_rs.arrays import BoolArray, IntArray
from grpo_rs.planned_attention import SLOTS, registered, unsupported, why_not_planned

PLAN = "slot_plan"

PREFILL_TOKENS = 2048
"""Tokens of prompts in one forward pass, unless one alone has more: bounds what the pass allocates."""

# Largest mean difference of a log-probability, in nats, that rounding explains; the mean is over the whole
# vocabulary, so improbable tokens, whose logits bfloat16 spaces widely, count most.
TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 0.2, torch.float16: 0.05}


def compacted(gone: BoolArray) -> IntArray:
    """Which one is in each place once some have gone: itself, or one of the last instead of one that went."""
    size = len(gone) - int(gone.sum())
    order = np.arange(size)
    order[gone[:size]] = size + np.flatnonzero(~gone[size:])
    return order


class Lane:
    """A prompt in the cache.

    Attributes:
        index: its place there; another one when a lane before it has been released.
        length: tokens.
        logits_V: of the token that follows it; dropped when its last completion has entered.
    """

    def __init__(self, index: int, length: int, logits_V: Tensor | None) -> None:
        self.index, self.length, self.logits_V = index, length, logits_V


class SlotDecoder:
    """A model with a cache of lanes and slots.

    Args:
        model: for which `use_slots` gave no reason against it.
        lanes: prompts held at once.
        prompt_tokens: of the longest prompt.
        slots: completions decoded at once.
        new_tokens: of the longest completion.
    """

    joins = True
    """Completions may enter while others run."""

    def __init__(
        self, model: PreTrainedModel, *, lanes: int, prompt_tokens: int, slots: int, new_tokens: int
    ) -> None:
        _switch(model)
        self.model = model
        self.lanes: list[Lane] = []
        self.free_lanes = lanes
        self._rows: list[Lane] = []  # of each running completion
        self._count_R = np.zeros(0, np.int64)  # tokens of each in the cache
        self._arranged: _Arrangement | None = None
        self._cache = SlotCache(lanes, prompt_tokens, slots, new_tokens)
        self._graphs = _Graphs(self._cache, model.device) if model.device.type == "cuda" else None
        # Models hand a mask of four dimensions on as it is; without one they would build their own.
        self._device = model.device
        self._no_mask = torch.zeros((1, 1, 1, 1), device=self._device)

    def prefill(self, prompts: Sequence[Sequence[int]]) -> list[Lane]:
        """Reads prompts into free lanes, in the order given."""
        order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
        made: dict[int, Lane] = {}
        while order:
            chunk = [order.pop(0)]
            tokens = len(prompts[chunk[0]])
            while order and tokens + len(prompts[order[0]]) <= PREFILL_TOKENS:
                tokens += len(prompts[order[0]])
                chunk.append(order.pop(0))
            made |= zip(chunk, self._read([prompts[i] for i in chunk]), strict=True)
        return [made[i] for i in range(len(prompts))]

    def _read(self, prompts: list[Sequence[int]]) -> list[Lane]:
        """One forward pass over prompts that are packed into a row, shortest first."""
        first = len(self.lanes)
        lengths = [len(prompt) for prompt in prompts]
        ends = np.cumsum(lengths)
        pieces = []
        begin = 0
        for end in range(1, len(lengths) + 1):
            # Attention is padded to the longest of a piece, so a piece has lengths of one magnitude.
            if end == len(lengths) or lengths[end].bit_length() > lengths[begin].bit_length():
                place_W = np.arange(lengths[end - 1])
                real_BW = place_W < np.array(lengths[begin:end])[:, None]
                index_BW = np.where(real_BW, (ends - lengths)[begin:end, None] + place_W, 0)
                inside = self._tensor(index_BW), self._tensor(np.flatnonzero(real_BW))
                pieces.append(_Piece(slice(first + begin, first + end), *inside))
                begin = end
        logits_BV = self.model(
            input_ids=self._tensor(np.concatenate([np.asarray(p, np.int64) for p in prompts])[None]),
            position_ids=self._tensor(np.concatenate([np.arange(n) for n in lengths])[None]),
            attention_mask=self._no_mask,
            past_key_values=self._cache,
            use_cache=True,
            logits_to_keep=self._tensor(ends - 1),
            **{PLAN: _Prefill(self._cache, pieces)},
        ).logits[0]
        made = [Lane(first + i, length, logits_BV[i]) for i, length in enumerate(lengths)]
        self.lanes += made
        self.free_lanes -= len(made)
        return made

    def enter(self, lanes: Sequence[Lane]) -> None:
        """Completions join behind those that run, one for each lane given."""
        self._rows += lanes
        self._count_R = np.concatenate([self._count_R, np.zeros(len(lanes), np.int64)])
        self._arranged = None

    def step(self, token_R: IntArray) -> Tensor:
        """[R, V], the logits after one more token of each running completion.

        The next step overwrites them, where steps are CUDA graphs.
        """
        if self._arranged is None:
            self._arranged = _Arrangement.of(self._rows, len(self.lanes))
        shape = _Shape.of(self._arranged, self._count_R)
        rows = [token_R, self._count_R, self._arranged.prompt_R, self._arranged.place_R]
        self._count_R = self._count_R + 1
        if self._graphs is not None:
            return self._graphs.step(self._forward, shape, rows, self._arranged.row_GM)
        return self._forward(self._tensor(np.concatenate([*rows, self._arranged.row_GM])), shape)

    def _forward(self, packed: Tensor, shape: _Shape) -> Tensor:
        """The same on every device: `packed` is all that a step has to be told, in one transfer."""
        token_R, *of_rows = packed.split([shape.rows] * 4 + [shape.groups * shape.members])
        plan = _Step(self._cache, shape, *of_rows)
        logits_RV: Tensor = self.model(
            input_ids=token_R[:, None],
            position_ids=plan.position_R[:, None],
            attention_mask=self._no_mask,
            past_key_values=self._cache,
            use_cache=True,
            **{PLAN: plan},
        ).logits[:, -1]
        return logits_RV

    def keep(self, order: IntArray) -> None:
        """Completions leave: the one that was row `order[i]` is row i from now on."""
        moved = np.flatnonzero(order != np.arange(len(order)))
        tokens = int(self._count_R.max(initial=0))
        self._count_R = self._count_R[order]
        if len(moved):
            self._cache.move("own", self._tensor(order[moved]), self._tensor(moved), tokens)
        self._rows = [self._rows[i] for i in order]
        self._arranged = None

    def release(self, lanes: Sequence[Lane]) -> None:
        """Prompts leave: they have no completions any more."""
        gone = np.zeros(len(self.lanes), np.bool_)
        gone[[lane.index for lane in lanes]] = True
        order = compacted(gone)
        moved = np.flatnonzero(order != np.arange(len(order)))
        if len(moved):
            tokens = max(self.lanes[i].length for i in order[moved])
            self._cache.move("prompt", self._tensor(order[moved]), self._tensor(moved), tokens)
        self.lanes = [self.lanes[i] for i in order]
        for index in moved:
            self.lanes[index].index = int(index)
        self.free_lanes += len(lanes)
        self._arranged = None

    def bytes_per_token(self) -> int:
        """Of the cache, once something has been read."""
        return sum(layer.bytes_per_token() for layer in self._cache.stores.values())

    def _tensor(self, values: IntArray) -> Tensor:
        return torch.from_numpy(values).to(self._device, non_blocking=True)


# ---- The cache ---------------------------------------------------------------------------------------------


@dataclass
class _Store:
    """Keys and values of a layer: of prompts (lanes, J, P, K) and of completions (slots, J, T, K)."""

    prompt: tuple[Tensor, Tensor]
    own: tuple[Tensor, Tensor]

    def bytes_per_token(self) -> int:
        return sum(t.shape[1] * t.shape[3] * t.element_size() for t in self.own)


class SlotCache(Cache):
    """What a model takes for its cache; the attention function writes and reads it.

    On a CPU it holds float32 even for narrower models: products of few rows are no slower in it, and scores
    are not rounded.
    """

    def __init__(self, lanes: int, prompt_tokens: int, slots: int, new_tokens: int) -> None:
        super().__init__(layers=[])
        self.sizes = {"prompt": (lanes, prompt_tokens), "own": (slots, new_tokens)}
        self.stores: dict[int, _Store] = {}
        self._layer = 0

    def update(
        self, key_states: Tensor, value_states: Tensor, layer_idx: int, *_: Any, **__: Any
    ) -> tuple[Tensor, Tensor]:
        """Notes which layer is at work: its attention function is called next."""
        self._layer = layer_idx
        return key_states, value_states

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Positions are always given."""
        return 0

    def store(self, key: Tensor, value: Tensor) -> _Store:
        """Of the layer at work; allocated when it comes for the first time, for only it knows its shape."""
        if self._layer not in self.stores:
            dtype = torch.float32 if key.device.type == "cpu" else key.dtype

            def allocate(part: str) -> tuple[Tensor, Tensor]:
                rows, tokens = self.sizes[part]
                # Zeros: a key that is masked must not be NaN.
                k, v = (
                    torch.zeros((rows, x.shape[1], tokens, x.shape[3]), dtype=dtype, device=key.device)
                    for x in (key, value)
                )
                return k, v

            self.stores[self._layer] = _Store(allocate("prompt"), allocate("own"))
        return self.stores[self._layer]

    def move(self, part: str, source: Tensor, target: Tensor, tokens: int) -> None:
        """Copies the first tokens of some rows over those of others, which are not among them."""
        for store in self.stores.values():
            for tensor in getattr(store, part):
                used = tensor[:, :, :tokens]
                used.index_copy_(0, target, used.index_select(0, source))


# ---- Attention ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Piece:
    """Prompts of one magnitude, padded on the right.

    Attributes:
        lanes: that they fill.
        index_BW: where their tokens are in the packed row; padding points at its first.
        real_L: which of the B * W are tokens.
    """

    lanes: slice
    index_BW: Tensor
    real_L: Tensor


@dataclass
class _Prefill:
    """Packed prompts, each on itself."""

    cache: SlotCache
    pieces: list[_Piece]

    def attend(
        self, query_1HLK: Tensor, key_1JLK: Tensor, value_1JLK: Tensor, scale: float, window: int | None
    ) -> Tensor:
        """(1, L, H, K)."""
        store = self.cache.store(key_1JLK, value_1JLK)
        shared = query_1HLK.shape[1] != key_1JLK.shape[1]
        outs = []
        for piece in self.pieces:
            width = piece.index_BW.shape[1]
            query, key, value = (
                x[0].transpose(0, 1)[piece.index_BW].transpose(1, 2)
                for x in (query_1HLK, key_1JLK, value_1JLK)
            )
            for stored, given in zip(store.prompt, (key, value), strict=True):
                stored[piece.lanes, :, :width] = given
            mask = None
            if window is not None and width > window:
                place = torch.arange(width, device=query.device)
                behind = place[:, None] - place
                mask = (behind >= 0) & (behind < window)
            # Padding is on the right, where a causal query does not look.
            out_BHWK = scaled_dot_product_attention(
                query, key, value, mask, is_causal=mask is None, scale=scale, enable_gqa=shared
            )
            outs.append(out_BHWK.transpose(1, 2).flatten(0, 1)[piece.real_L])
        return torch.cat(outs)[None]


@dataclass
class _Arrangement:
    """Which completion is whose, until one comes or goes.

    Attributes:
        prompt_R: tokens of each completion's prompt.
        longest: tokens of the longest prompt in use.
        place_R: where each completion is among the places of its lane, in a table of G x M.
        row_GM: the completion in each place of that table; 0 in empty ones.
        dense: the table in its order is the completions in theirs.
        groups, members: G and M.
    """

    prompt_R: IntArray
    longest: int
    place_R: IntArray
    row_GM: IntArray
    dense: bool
    groups: int
    members: int

    @classmethod
    def of(cls, rows: list[Lane], groups: int) -> _Arrangement:
        lane_R = np.array([lane.index for lane in rows])
        prompt_R = np.array([lane.length for lane in rows])
        order = np.argsort(lane_R, kind="stable")
        counts = np.bincount(lane_R, minlength=groups)
        member_R = np.empty_like(lane_R)
        member_R[order] = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
        members = int(counts.max())
        place_R = lane_R * members + member_R
        row_GM = np.zeros(groups * members, np.int64)
        row_GM[place_R] = np.arange(len(rows))
        dense = len(rows) == groups * members and bool((place_R == np.arange(len(rows))).all())
        return cls(prompt_R, int(prompt_R.max()), place_R, row_GM, dense, groups, members)


@dataclass(frozen=True)
class _Shape:
    """What a step's tensors are made to.

    Attributes:
        rows, groups, members: R, G and M.
        prompt, own: P and T, how far prompts and slots are looked at.
        dense: see `_Arrangement`.
        even: all prompts have P tokens, and all completions T: nothing is masked but by windows.
    """

    rows: int
    groups: int
    members: int
    prompt: int
    own: int
    dense: bool
    even: bool

    @classmethod
    def of(cls, arranged: _Arrangement, count_R: IntArray) -> _Shape:
        own = int(count_R.max()) + 1
        even = int(count_R.min()) + 1 == own and int(arranged.prompt_R.min()) == arranged.longest
        groups, members = arranged.groups, arranged.members
        return cls(len(count_R), groups, members, arranged.longest, own, arranged.dense, even)


@dataclass
class _Step:
    """One more token of every completion.

    Attributes:
        count_R: tokens that each had in its slot before.
        prompt_R, place_R, row_GM: see `_Arrangement`.
    """

    cache: SlotCache
    shape: _Shape
    count_R: Tensor
    prompt_R: Tensor
    place_R: Tensor
    row_GM: Tensor
    _masks: dict[int | None, Tensor | None] = field(default_factory=dict)

    @property
    def position_R(self) -> Tensor:
        """Of the new tokens."""
        return self.prompt_R + self.count_R

    def attend(
        self, query_RH1K: Tensor, key_RJ1K: Tensor, value_RJ1K: Tensor, scale: float, window: int | None
    ) -> Tensor:
        """(R, 1, H, K)."""
        store = self.cache.store(key_RJ1K, value_RJ1K)
        shape = self.shape
        rows, heads, _, size = query_RH1K.shape
        kv_heads = key_RJ1K.shape[1]
        by_head = (rows, kv_heads, heads // kv_heads)

        for stored, given in zip(store.own, (key_RJ1K, value_RJ1K), strict=True):
            if shape.even:
                stored[:rows, :, shape.own - 1 : shape.own] = given
            else:
                row_R = torch.arange(rows, device=given.device)
                stored[row_R, :, self.count_R] = given[:, :, 0].to(stored.dtype)
        own_key, own_value = (x[:rows, :, : shape.own].flatten(0, 1) for x in store.own)
        prompt_key, prompt_value = (x[: shape.groups, :, : shape.prompt].flatten(0, 1) for x in store.prompt)

        query_RJQK = (query_RH1K * scale).view(*by_head, size).to(own_key.dtype)
        on_prompt = self._to_rows(_product(self._to_lanes(query_RJQK), prompt_key.mT), by_head)
        on_own = _product(query_RJQK.flatten(0, 1), own_key.mT).view(*by_head, shape.own)
        score_RJQS = torch.cat([on_prompt, on_own], -1)
        mask = self._mask(window)
        if mask is not None:
            score_RJQS += mask
        weight_RJQS = score_RJQS.softmax(-1).to(own_value.dtype)
        weight_RJQP, weight_RJQT = weight_RJQS.split([shape.prompt, shape.own], -1)
        out_RJQK = self._to_rows(_product(self._to_lanes(weight_RJQP), prompt_value), by_head)
        out_RJQK += _product(weight_RJQT.flatten(0, 1), own_value).view_as(out_RJQK)
        return out_RJQK.reshape(rows, 1, heads, -1).to(query_RH1K.dtype)

    def _to_lanes(self, x_RJQX: Tensor) -> Tensor:
        """(G J, M Q, X): what the completions of a lane have for each of its heads, end to end."""
        _, kv_heads, repeats, size = x_RJQX.shape
        groups, members = self.shape.groups, self.shape.members
        if self.shape.dense and members == 1:
            return x_RJQX.flatten(0, 1)
        table = x_RJQX if self.shape.dense else x_RJQX.index_select(0, self.row_GM)
        lanes = table.reshape(groups, members, kv_heads, repeats, size).transpose(1, 2)
        return lanes.reshape(groups * kv_heads, members * repeats, size)

    def _to_rows(self, x: Tensor, by_head: tuple[int, int, int]) -> Tensor:
        """(R, J, Q, X), the inverse of `_to_lanes`."""
        _, kv_heads, repeats = by_head
        groups, members = self.shape.groups, self.shape.members
        if self.shape.dense and members == 1:
            return x.view(*by_head, -1)
        table = x.view(groups, kv_heads, members, repeats, -1).transpose(1, 2)
        rows = table.reshape(groups * members, kv_heads, repeats, x.shape[-1])
        return rows if self.shape.dense else rows.index_select(0, self.place_R)

    def _mask(self, window: int | None) -> Tensor | None:
        """(R, 1, 1, P + T), what is added to scores; None where everything is seen."""
        if window not in self._masks:
            self._masks[window] = self._made_mask(window)
        return self._masks[window]

    def _made_mask(self, window: int | None) -> Tensor | None:
        shape = self.shape
        if shape.even and (window is None or shape.prompt + shape.own <= window):
            return None
        prompt_P = torch.arange(shape.prompt, device=self.count_R.device)
        own_T = torch.arange(shape.own, device=self.count_R.device)
        there_RP = prompt_P < self.prompt_R[:, None]
        there_RT = own_T <= self.count_R[:, None]
        if window is not None:
            oldest_R1 = (self.position_R - window + 1)[:, None]
            there_RP &= prompt_P >= oldest_R1
            there_RT &= own_T + self.prompt_R[:, None] >= oldest_R1
        there_RS = torch.cat([there_RP, there_RT], -1)
        hidden = torch.zeros(there_RS.shape, device=there_RS.device).masked_fill_(~there_RS, float("-inf"))
        return hidden[:, None, None]


def _product(a: Tensor, b: Tensor) -> Tensor:
    """The batched matrix product in float32: scores rounded to bfloat16 would be wrong by more than it is."""
    if a.device.type == "cuda" and a.dtype != torch.float32:
        return torch.bmm(a, b, out_dtype=torch.float32)  # for CUDA only
    return torch.bmm(a.float(), b.float())


# ---- CUDA --------------------------------------------------------------------------------------------------

OWN_BUCKET = 256
"""Tokens of slots that captured steps look at are multiples of this."""

_Forward = Callable[[Tensor, _Shape], Tensor]


class _Graphs:
    """Steps as CUDA graphs, one for each shape, rounded up so that there are few. Never run on a GPU so far.

    Rows that are only there for the rounding write into slots that nobody uses, and their logits are dropped.

    The forward function comes with each call. It belongs to the decoder, and a reference kept here would
    close a circle, which holds gigabytes of cache until the garbage collector finds it.
    """

    def __init__(self, cache: SlotCache, device: torch.device) -> None:
        self._cache, self._device = cache, device
        self._captured: dict[_Shape, tuple[torch.cuda.CUDAGraph, Tensor, Tensor]] = {}
        self._pool: Any = None

    def step(self, forward: _Forward, shape: _Shape, rows: list[IntArray], row_GM: IntArray) -> Tensor:
        (lanes, prompt), (slots, own) = self._cache.sizes["prompt"], self._cache.sizes["own"]
        # Not beyond the cache, but for members, which it does not know of.
        members = _power_of_two(shape.members)
        rounded = _Shape(
            rows=min(slots, _power_of_two(shape.rows)),
            groups=min(lanes, _power_of_two(shape.groups)),
            members=members,
            prompt=prompt,
            own=min(own, -(-shape.own // OWN_BUCKET) * OWN_BUCKET),
            dense=False,
            even=False,
        )
        packed = np.zeros(4 * rounded.rows + rounded.groups * members, np.int64)
        token, count, prompt_R, place = packed[: 4 * rounded.rows].reshape(4, -1)
        token[: shape.rows], count[: shape.rows], prompt_R[: shape.rows] = rows[:3]
        prompt_R[shape.rows :] = 1
        place[: shape.rows] = rows[3] // shape.members * members + rows[3] % shape.members
        table = packed[4 * rounded.rows :].reshape(rounded.groups, members)
        table[: shape.groups, : shape.members] = row_GM.reshape(shape.groups, shape.members)
        if rounded not in self._captured:
            self._captured[rounded] = self._capture(forward, torch.from_numpy(packed), rounded)
        graph, inputs, logits_RV = self._captured[rounded]
        inputs.copy_(torch.from_numpy(packed))
        graph.replay()
        return logits_RV[: shape.rows]

    def _capture(
        self, forward: _Forward, packed: Tensor, shape: _Shape
    ) -> tuple[torch.cuda.CUDAGraph, Tensor, Tensor]:
        inputs = packed.to(self._device)
        with torch.cuda.device(self._device):
            # Once without, for what is set up at the first call; writing the same keys twice does no harm.
            side = torch.cuda.Stream()
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                forward(inputs, shape)
            torch.cuda.current_stream().wait_stream(side)
            graph = torch.cuda.CUDAGraph()
            # The trainer may use the GPU from a thread of its own meanwhile.
            with torch.cuda.graph(graph, pool=self._pool, capture_error_mode="thread_local"):
                logits_RV = forward(inputs, shape)
        self._pool = graph.pool()
        return graph, inputs, logits_RV


def _power_of_two(number: int) -> int:
    return 1 << (number - 1).bit_length()


# ---- Switching a model -------------------------------------------------------------------------------------


def use_slots(model: PreTrainedModel) -> tuple[str | None, int]:
    """Lets a model be decoded by `SlotDecoder`, if that gives the model's own log-probabilities.

    Calls without a plan go to the implementation it has now. Repeating is harmless.

    Returns:
        Why not, in words for the user; then the model is as it was. None if it can be. And the bytes that
        its cache has for a token, 0 if it cannot be.
    """
    reason = why_not_planned(model)
    if reason is not None:
        return reason, 0
    former = model.config._attn_implementation
    try:
        gap, token_bytes = _gap(model)
    except (TypeError, ValueError, IndexError, KeyError, AttributeError, RuntimeError) as error:
        # A model's own refusal of plans takes many forms. NotImplementedError is a RuntimeError.
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
    else:
        if not gap <= TOLERANCE.get(model.dtype, 1e-3):
            reason = f"log-probabilities differ from the model's own by {gap:.2g} nats"
    if reason is not None:
        model.set_attn_implementation(former)
        return reason, 0
    return None, token_bytes


def _gap(model: PreTrainedModel) -> tuple[float, int]:
    """How far log-probabilities are from the model's own, and the cache's bytes for a token.

    Two prompts, three completions; the mean difference of the completion where it is largest.
    """
    vocabulary = model.config.get_text_config().vocab_size
    tokens = np.random.default_rng(0).integers(0, vocabulary, (5, 7))
    prompts = [tokens[3, :3].tolist(), tokens[4].tolist()]
    decoder = SlotDecoder(model, lanes=2, prompt_tokens=7, slots=3, new_tokens=4)
    lanes = decoder.prefill(prompts)
    of_row = [0, 1, 1]
    decoder.enter([lanes[i] for i in of_row])
    read_BV = torch.stack([lane.logits_V for lane in lanes if lane.logits_V is not None])
    found = [read_BV[of_row]]
    found += [decoder.step(tokens[:3, step]).clone() for step in range(4)]
    gap = 0.0
    for row, lane in enumerate(of_row):
        whole = torch.tensor([[*prompts[lane], *tokens[row, :4].tolist()]], device=model.device)
        expected_TV = model(input_ids=whole, use_cache=False).logits[0, len(prompts[lane]) - 1 :]
        found_TV = torch.stack([logits_RV[row] for logits_RV in found])
        difference = found_TV.float().log_softmax(-1) - expected_TV.float().log_softmax(-1)
        gap = max(gap, float(difference.abs().mean()))
    return gap, decoder.bytes_per_token()


def _switch(model: PreTrainedModel) -> None:
    """Each time anew: whoever set another implementation meanwhile would have plans ignored."""
    former = model.config._attn_implementation
    if SLOTS not in former:
        model.set_attn_implementation(registered(former, SLOTS, PLAN, _planned))


def _planned(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    plan: _Prefill | _Step,
    *,
    scaling: float | None = None,
    sliding_window: int | None = None,
    is_causal: bool | None = None,
    **other: Any,
) -> Tensor:
    asked = unsupported(module, sliding_window=sliding_window, is_causal=is_causal, other=other)
    if asked:
        raise NotImplementedError(f"attention with {', '.join(asked)}")
    return plan.attend(
        query, key, value, query.shape[-1] ** -0.5 if scaling is None else scaling, sliding_window
    )
