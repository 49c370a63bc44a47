"""Word vectors for the kernel's tool search: `../../runtime/kernel/src/search/senses.{txt,bin}`.

    python senses.py        # needs meaning.pt; pip install wordfreq==3.1.1

The vectors of `meaning.py` (a sentence encoder on each word alone), for the whole words of the vocabulary, on their 64 main
directions. The text file has the words in order; the binary one, for each word, a byte that says how much it tells
(255 a / (a + p), p its frequency in English, a = 0.001: Arora, Liang and Ma 2017) and 64 signed bytes, the direction.
"""

from pathlib import Path

import torch

import meaning
import tokenizer as tk

FOLDER = Path(__file__).parents[2] / "runtime" / "kernel" / "src" / "search"
WIDTH = 64
RARE = 1e-3


def main():
    from wordfreq import word_frequency
    tokenizer = tk.load()
    vectors = torch.load(meaning.PATH).float()
    words = {}
    for i in range(len(tk.CONTROLS), tokenizer.get_vocab_size()):
        token = tokenizer.id_to_token(i)
        word = token[1:]
        if token.startswith("Ġ") and len(word) > 1 and word.isascii() and word.isalpha() and vectors[i].norm() > 0:
            words[word.lower()] = i
    names = sorted(words)
    table = vectors[[words[n] for n in names]]
    _, _, main_directions = torch.linalg.svd(table - table.mean(0), full_matrices=False)
    table = torch.nn.functional.normalize(table @ main_directions[:WIDTH].T, dim=-1)
    table = (table * 127 / table.abs().max()).round().to(torch.int8)
    tells = [round(255 * RARE / (RARE + word_frequency(n, "en"))) for n in names]
    (FOLDER / "senses.txt").write_text("".join(n + "\n" for n in names))
    (FOLDER / "senses.bin").write_bytes(b"".join(bytes([t]) + row.numpy().tobytes() for t, row in zip(tells, table)))
    print(len(names), "words,", (FOLDER / "senses.bin").stat().st_size, "bytes")


if __name__ == "__main__":
    main()
