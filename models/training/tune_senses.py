"""Teaches the word vectors of the kernel's tool search which words ask for which tools.

    python tune_senses.py        # after senses.py; 3 minutes on 1 core

`senses.py` makes the sum of a sentence's vectors point where a sentence encoder points. Here those sums are drawn towards the tools that
the sentence asks for and away from the others (InfoNCE; van den Oord et al., 2018), over the families' phrasings, `situations.txt` and `wishes.txt`.
A word keeps near the vector that it had, so that words which no family uses stay comparable.
"""

import random
import re

import torch
import torch.nn.functional as F

import generate
import situations
from compose import Composer, Context, _Lonely, _stranger
from senses import ENDINGS, FOLDER, WIDTH, write

SEED = 5
STEPS = 1200
RATE = 1e-3
TEMPERATURE = 0.07
KEEP = 3.0              # weight of the squared distance from the vector that a word had
FAMILIES, TOOLS = 96, 4    # of a batch: families, and tools of each
LISTINGS, GOALS = 3, 16    # of a tool: ways to list it, and goals for it
DEVICE, NAME, DOES, OPTION, PARAMETER = 1.3, 1.5, 1.0, 0.8, 0.4     # how much a word counts by where it stands, as the kernel has it


def read():
    """The words and vectors that `senses.write` wrote."""
    names = (FOLDER / "senses.txt").read_text().split()
    rows = torch.frombuffer(bytearray((FOLDER / "senses.bin").read_bytes()), dtype=torch.uint8).reshape(len(names), 2 + WIDTH // 2)
    scale = rows[:, 0].float() + 256 * rows[:, 1].float()
    signed = lambda half: torch.where(half > 7, half - 16.0, half.float())
    vectors = torch.stack((signed(rows[:, 2:] & 15), signed(rows[:, 2:] >> 4)), -1).reshape(len(names), WIDTH) * scale[:, None]
    return names, vectors / vectors.norm(dim=1).mean()


class Words:
    def __init__(self, names):
        self.index = {name: i for i, name in enumerate(names)}

    def entry(self, word):
        forms = [word] + [word[:-len(end)] + rest for end, rest in ENDINGS if word.endswith(end) and len(word) - len(end) >= 3]
        return next((self.index[form] for form in forms if form in self.index), None)

    def of(self, text, weight=1.0):
        """`[(word, weight)]` of a text, as the kernel reads it."""
        return [(e, weight) for w in re.split("[^a-z]+", text.lower()) if len(w) > 1 and (e := self.entry(w)) is not None]

    def listing(self, device, name, does, slots):
        out = self.of(device, DEVICE) + self.of(name, NAME) + self.of(does, DOES)
        for slot in slots:
            out += self.of(slot.name, PARAMETER) + self.of(" ".join(slot.options), OPTION)
        return out


def examples(words, rng):
    """`{family: [(ability, listings, goals)]}`."""
    out = {}
    for family in generate.TRAIN:
        for tool in family.tools:
            listings, goals = [], []
            for _ in range(LISTINGS):
                device = rng.choice(family.devices)
                inst = _stranger(tool, family, device, rng)
                plain = lambda text: text.replace("$n", device[0])
                listings.append(words.listing(device[0] if rng.random() < 0.7 else "", plain(rng.choice(tool.names)), plain(rng.choice(tool.does)), inst.slots))
            for _ in range(GOALS):
                clause = Composer(_Lonely(inst), rng, []).call(inst, Context())
                goals.append(words.of(" ".join(piece.text for piece in clause.pieces)) if clause else [])
            out.setdefault(family.name, []).append((tool.cap, listings, [g for g in goals if g]))
    for number, tool in enumerate(situations.DEEDS + situations.wishes()):
        goals = [words.of(" ".join(situations.phrases.words_of(say.tree))) for say in tool.says]
        out.setdefault(f"situations {number // TOOLS}", []).append((tool.cap, [words.of(text) for text in tool.does], [g for g in goals if g]))
    return {name: usable for name, tools in out.items() if (usable := [(c, [x for x in l if x], g) for c, l, g in tools if any(l) and g])}


def sums(vectors, texts):
    flat = torch.tensor([word for text in texts for word, _ in text])
    weights = torch.tensor([weight for text in texts for _, weight in text])
    starts = torch.tensor([0] + [len(text) for text in texts[:-1]]).cumsum(0)
    return F.normalize(F.embedding_bag(flat, vectors, starts, mode="sum", per_sample_weights=weights), dim=-1)


def main():
    torch.manual_seed(SEED)
    rng = random.Random(SEED)
    names, before = read()
    data = examples(Words(names), rng)
    vectors = torch.nn.Parameter(before.clone())
    optimizer = torch.optim.Adam([vectors], lr=RATE)
    for step in range(STEPS):
        chosen = [tool for name in rng.sample(sorted(data), FAMILIES) for tool in rng.sample(data[name], min(TOOLS, len(data[name])))]
        listings, goals = [rng.choice(tool[1]) for tool in chosen], [rng.choice(tool[2]) for tool in chosen]
        scores = sums(vectors, goals) @ sums(vectors, listings).T / TEMPERATURE
        kinds = {cap: i for i, cap in enumerate(dict.fromkeys(cap for cap, _, _ in chosen))}
        kind = torch.tensor([kinds[cap] for cap, _, _ in chosen])
        scores = scores.masked_fill((kind[:, None] == kind) & ~torch.eye(len(chosen), dtype=torch.bool), float("-inf"))
        used = torch.tensor(sorted({word for text in listings + goals for word, _ in text}))
        right = torch.arange(len(chosen))
        loss = (F.cross_entropy(scores, right) + F.cross_entropy(scores.T, right)) / 2
        (loss + KEEP * ((vectors[used] - before[used]) ** 2).sum(-1).mean()).backward()
        optimizer.param_groups[0]["lr"] = RATE * (1 - step / STEPS)
        optimizer.step()
        optimizer.zero_grad()
        if step % 100 == 99:
            print("step", step + 1, "loss", round(loss.item(), 3), flush=True)
    write(names, vectors.detach())


if __name__ == "__main__":
    main()
