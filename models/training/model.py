"""The decoder: qwen3's block (RMSNorm, QK-norm, RoPE, SwiGLU, tied embeddings) with pointer heads and a sense of words.

Attention sees the tool list and the own segment only, so several goals share one tool list in a
sequence. `forward` takes a prefix's keys and values, so evaluation reads a tool list once.

The sense is a shortcut from words to choices: each token of the vocabulary has a vector, a tool or an option is the sum
of its words' vectors, and what a decision is about is a mean over the goal's words, weighted by a pointer. Their cosine
adds to the scores. A tool in words that training never brought together is still found if its words mean what was said.
"""

from dataclasses import asdict, dataclass, replace

import torch
import torch.nn.functional as F
from torch import nn

POINTERS = ("tool.query", "tool.key", "start.query", "start.key", "end.query", "end.key", "about.query", "about.key")
LOWER = ("embed.", "sense.", "blocks.0.")       # words and the first block, which `fix_lower` keeps and which are exported to the last bit of Q8_0


@dataclass
class Config:
    vocabulary: int = 12288
    width: int = 256
    layers: int = 6
    heads: int = 4
    kv_heads: int = 4
    head: int = 64
    ffn: int = 512
    pointer: int = 128
    rope_base: float = 10000.0
    epsilon: float = 1e-6
    context: int = 2048
    meaning: int = 384           # width of the vectors that stand for words before training; 0 for none
    merged: bool = False         # as it ships: one table of embeddings, one of senses
    caution: float = 0.0         # added to the score of doing nothing; chosen after training (`calibrate.py`)

    def as_dict(self):
        return asdict(self)


class RMSNorm(nn.Module):
    def __init__(self, size, epsilon):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.epsilon = epsilon

    def forward(self, x):
        return F.rms_norm(x, (x.shape[-1],), self.weight.to(x.dtype), self.epsilon)


def rotate(x, cos, sin):
    """RoPE in the NEOX layout: halves, not pairs."""
    a, b = x.chunk(2, dim=-1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), dim=-1)


GOAL_MAX = 96      # tokens of a goal with its markers, in training (`encode.encode` leaves longer ones out)


def attend(q, k, v, bias, block=128):
    """Attention block by block over the queries, each over the keys up to its own end and a goal's length more, since a goal sees itself
    whole; plain products, which are twice as fast on a CPU as the fused kernel with a mask. Keys before the first query (a prefix) are seen by all."""
    before = k.shape[2] - q.shape[2]
    block = block if q.shape[2] > 256 else q.shape[2]
    parts = []
    for i in range(0, q.shape[2], block):
        end = min(k.shape[2], before + i + block + GOAL_MAX)
        scores = q[:, :, i:i + block] @ k[:, :, :end].transpose(-1, -2) * q.shape[-1] ** -0.5
        parts.append((scores + bias[:, :, i:i + block, :end]).softmax(-1) @ v[:, :, :end])
    return torch.cat(parts, 2)


class Attention(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.c = c
        self.q = nn.Linear(c.width, c.heads * c.head, bias=False)
        self.k = nn.Linear(c.width, c.kv_heads * c.head, bias=False)
        self.v = nn.Linear(c.width, c.kv_heads * c.head, bias=False)
        self.o = nn.Linear(c.heads * c.head, c.width, bias=False)
        self.q_norm = RMSNorm(c.head, c.epsilon)
        self.k_norm = RMSNorm(c.head, c.epsilon)

    def forward(self, x, cos, sin, bias, past=None):
        c = self.c
        b, t, _ = x.shape
        q = rotate(self.q_norm(self.q(x).view(b, t, c.heads, c.head)).transpose(1, 2), cos, sin)
        k = rotate(self.k_norm(self.k(x).view(b, t, c.kv_heads, c.head)).transpose(1, 2), cos, sin)
        v = self.v(x).view(b, t, c.kv_heads, c.head).transpose(1, 2)
        if past is not None:
            k = torch.cat((past[0].expand(b, -1, -1, -1), k), dim=2)
            v = torch.cat((past[1].expand(b, -1, -1, -1), v), dim=2)
        shared = c.heads // c.kv_heads
        y = attend(q, k.repeat_interleave(shared, 1), v.repeat_interleave(shared, 1), bias) if shared > 1 else attend(q, k, v, bias)
        return self.o(y.transpose(1, 2).reshape(b, t, c.heads * c.head)), (k, v)


class Block(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.attn_norm = RMSNorm(c.width, c.epsilon)
        self.attn = Attention(c)
        self.ffn_norm = RMSNorm(c.width, c.epsilon)
        self.gate = nn.Linear(c.width, c.ffn, bias=False)
        self.up = nn.Linear(c.width, c.ffn, bias=False)
        self.down = nn.Linear(c.ffn, c.width, bias=False)

    def forward(self, x, cos, sin, bias, past=None):
        y, kv = self.attn(self.attn_norm(x), cos, sin, bias, past)
        x = x + y
        h = self.ffn_norm(x)
        return x + self.down(F.silu(self.gate(h)) * self.up(h)), kv


class Words(nn.Module):
    """The embedding as `meaning @ turn + own`: what a word means stays as the encoder had it, how it is seen here is learned.

    In training each row of `own` is left out at times, so that the network also works for words whose `own` is still empty.
    """

    def __init__(self, c):
        super().__init__()
        self.register_buffer("meaning", torch.zeros(c.vocabulary, c.meaning))
        self.turn = nn.Parameter(torch.randn(c.meaning, c.width) * 0.05)
        self.own = nn.Parameter(torch.zeros(c.vocabulary, c.width))

    def learn(self, vectors):
        """Takes the vectors; rows without one start at random."""
        self.meaning.copy_(vectors)
        empty = self.meaning.norm(dim=-1) == 0
        self.own.data[empty] = 0.02 * torch.randn(int(empty.sum()), self.own.shape[1])

    def kept(self):
        """`[vocabulary, 1]`: which rows of `own` count this time."""
        known = self.meaning.norm(dim=-1, keepdim=True) > 0
        return (torch.rand(self.own.shape[0], 1, device=self.own.device) > 0.25) | ~known

    def table(self):
        own = self.own * self.kept() if self.training else self.own
        return self.meaning @ self.turn.to(self.meaning.dtype) + own


class Sense(nn.Module):
    """A vector for each word, longer the more it tells: `turn(e) * exp(weight(e))` of its embedding `e`."""

    def __init__(self, c):
        super().__init__()
        self.turn = nn.Linear(c.width, c.pointer, bias=False)
        self.weight = nn.Linear(c.width, 1, bias=False)

    def forward(self, rows):
        return self.turn(rows) * self.weight(rows).float().clamp(-6, 4).exp()


class Planner(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.embed = Words(config) if config.meaning and not config.merged else nn.Embedding(config.vocabulary, config.width)
        self.sense = nn.Embedding(config.vocabulary, config.pointer) if config.merged else Sense(config)
        self.fixed = None                                        # the tables with and without what was learned of words, see `fix_lower`
        self.scale = nn.Parameter(torch.tensor([8.0, 8.0]))      # of the cosines of tools and of options
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = RMSNorm(config.width, config.epsilon)
        self.pointer = nn.ModuleDict({name.replace(".", "_"): nn.Linear(config.width, config.pointer, bias=False) for name in POINTERS})
        self.reset()

    def reset(self):
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=module.weight.shape[1] ** -0.5)
            elif isinstance(module, nn.Embedding):
                nn.init.normal_(module.weight, std=0.02)
        for block in self.blocks:
            block.attn.o.weight.data *= (2 * self.config.layers) ** -0.5
            block.down.weight.data *= (2 * self.config.layers) ** -0.5
        if not self.config.merged:
            self.sense.weight.weight.data.zero_()

    def forward(self, ids, positions, mask, past=None):
        """Hidden states after the final norm, and the keys and values of every layer."""
        half = self.config.head // 2
        frequency = self.config.rope_base ** (-torch.arange(half, device=ids.device, dtype=torch.float32) / half)
        angle = positions[:, None, :, None].float() * frequency
        self.rows, self.senses = self.words()
        x = F.embedding(ids, self.rows)
        if torch.is_autocast_enabled("cpu"):
            x = x.bfloat16()
        cos, sin = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
        bias = torch.where(mask, 0.0, -1e4).to(x.dtype)
        cache = []
        for i, block in enumerate(self.blocks):
            x, kv = block(x, cos, sin, bias, past[i] if past else None)
            cache.append(kv)
        return self.norm(x), cache

    def words(self):
        """The tables of embeddings and of senses."""
        if self.config.merged:
            return self.embed.weight, self.sense.weight
        if self.fixed and self.training:
            kept = self.embed.kept()
            return tuple(torch.where(kept, learned, bare) for learned, bare in self.fixed)
        rows = self.embed.weight if isinstance(self.embed, nn.Embedding) else self.embed.table()
        return rows, self.sense(rows)

    def fix_lower(self):
        """From here on words and the first block stay as they are, and only the network over them learns."""
        for name, p in self.named_parameters():
            if name.startswith(LOWER):
                p.requires_grad_(False)
        bare = self.embed.meaning @ self.embed.turn
        learned = bare + self.embed.own
        self.fixed = (learned, bare), (self.sense(learned), self.sense(bare))

    def score(self, head, queries, keys):
        """Pointer scores `[.., queries, keys]` of one head."""
        q = self.pointer[f"{head}_query"](queries)
        k = self.pointer[f"{head}_key"](keys)
        return q @ k.transpose(-1, -2) * self.config.pointer ** -0.5

    def token_scores(self, states, tokens):
        """How much each state `[.., n, width]` wants its tokens `[.., n, k]` of the vocabulary."""
        return torch.einsum("...nd,...nkd->...nk", states, F.embedding(tokens, self.rows).to(states.dtype))

    def sum_of_senses(self, tokens, here):
        """What runs of words `[.., l]` mean together, at length one; `here` tells words from padding."""
        return F.normalize((F.embedding(tokens, self.senses).float() * here[..., None]).sum(-2), dim=-1)

    def about(self, states, hidden, allowed, ids):
        """What each decision `[b, n]` is about: the senses of the goal's words, as far as it looks at them, at length one."""
        scores = self.score("about", states, hidden).float().masked_fill(~allowed, -1e9)
        return F.normalize(scores.softmax(-1) @ F.embedding(ids, self.senses).float(), dim=-1)

    def option_scores(self, states, about, tokens, here):
        """`[.., n, k]`: of each option `[.., n, k, l]` the wish for its words, and how much it means what the decision is about."""
        rows = (F.embedding(tokens, self.rows) * here[..., None]).sum(-2) / here.sum(-1, keepdim=True).clamp(min=1)
        wish = torch.einsum("...nd,...nkd->...nk", states.float(), rows.float())
        return wish, self.scale[1] * torch.einsum("...nd,...nkd->...nk", about, self.sum_of_senses(tokens, here))

    def merged(self):
        """The same network with plain tables of embeddings and senses, as it ships."""
        if self.config.merged:
            return self
        plain = Planner(replace(self.config, meaning=0, merged=True))
        state = {name: value for name, value in self.state_dict().items() if not name.startswith(("embed.", "sense."))}
        rows, senses = self.eval().words()
        state["embed.weight"], state["sense.weight"] = rows.detach(), senses.detach()
        plain.load_state_dict(state)
        return plain


def depth(state):
    """The number of layers of a network's weights."""
    return 1 + max(int(name.split(".")[1]) for name in state if name.startswith("blocks."))


def deepened(state, layers):
    """The weights of a network as those of a deeper one that computes the same: between its blocks, as near the middle as they fit, stand copies of the
    block before that add nothing yet, since their last matrices are zero."""
    blocks = depth(state)
    more = layers - blocks
    if not 0 <= more <= blocks:
        raise ValueError(f"expected {blocks} to {2 * blocks} layers, found {layers}: a network can at most be doubled at once")
    first = (blocks - more) // 2
    out = {name: value for name, value in state.items() if not name.startswith("blocks.")}
    at = 0
    for block in range(blocks):
        own = {name.split(".", 2)[2]: value for name, value in state.items() if name.startswith(f"blocks.{block}.")}
        copies = [own, own | {name: torch.zeros_like(own[name]) for name in ("attn.o.weight", "down.weight")}] if first <= block < first + more else [own]
        for copy in copies:
            out |= {f"blocks.{at}.{name}": value for name, value in copy.items()}
            at += 1
    return out


def segment_mask(segments, wholes):
    """`[b, 1, t, t]`: within the own segment and the tool list (segment 0), what stands before and the own goal whole; padding (-1) sees itself."""
    same = segments[:, :, None] == segments[:, None, :]
    tools = (segments[:, None, :] == 0) & (segments[:, :, None] >= 0)
    whole = (wholes[:, :, None] == wholes[:, None, :]) & (wholes[:, None, :] > 0)
    t = segments.shape[1]
    return ((same | tools) & torch.ones(t, t, dtype=torch.bool, device=segments.device).tril() | whole)[:, None]
