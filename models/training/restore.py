"""The weights in the box as a checkpoint that training goes on from.

    python restore.py ../default/llmos-tiny.gguf run/start.pt
    python train.py --out run --start run/start.pt --minutes 60

What ships is one table of embeddings and one of senses, rounded to Q8_0; training has factors of them (`model.py`: `Words`, `Sense`).
They are found again by least squares: the matrix that turns `meaning.pt` into the embeddings, what each word has of its own beside it, and
the matrix and the weights that turn embeddings into senses. The optimizers' momentum is gone, so a resumed run warms up again.
"""

import argparse
import json

import gguf
import torch

import meaning
from export import gguf_name
from model import Config, Planner


def read(path):
    """The merged network of a container."""
    reader = gguf.GGUFReader(str(path))
    field = lambda key: reader.get_field(f"qwen3.{key}").contents()
    config = Config(vocabulary=field("vocab_size"), width=field("embedding_length"), layers=field("block_count"), heads=field("attention.head_count"),
                    kv_heads=field("attention.head_count_kv"), head=field("attention.key_length"), ffn=field("feed_forward_length"),
                    context=field("context_length"), rope_base=field("rope.freq_base"), meaning=0, merged=True)
    caution = reader.get_field("llmos.caution")
    config.caution = float(caution.contents()) if caution else 0.0
    plain = Planner(config)
    tensors = {t.name: torch.from_numpy(gguf.quants.dequantize(t.data, t.tensor_type).copy()) for t in reader.tensors}
    plain.load_state_dict({name: tensors[gguf_name(name)].reshape(value.shape) for name, value in plain.state_dict().items()})
    return plain


def factor(plain, vectors):
    """The network as training has it: `Words` and `Sense` in place of the two tables."""
    model = Planner(Config(**plain.config.as_dict() | {"meaning": vectors.shape[1], "merged": False}))
    kept = {name: value for name, value in plain.state_dict().items() if not name.startswith(("embed.", "sense."))}
    model.load_state_dict(kept, strict=False)
    rows, senses = plain.embed.weight.detach().double(), plain.sense.weight.detach().double()
    known = vectors.norm(dim=-1) > 0
    turn = torch.linalg.lstsq(vectors[known].double(), rows[known]).solution
    model.embed.learn(vectors)
    model.embed.turn.data = turn.float()
    model.embed.own.data = (rows - vectors.double() @ turn).float()
    # Senses are `A e exp(w e)`: with `w` at hand `A` is linear, with `A` the logarithm of the lengths gives `w`.
    heard = senses.norm(dim=-1) > 1e-6
    e, s = rows[heard], senses[heard]
    w = torch.zeros(e.shape[1], dtype=torch.float64)
    for _ in range(50):
        length = (e @ w).clamp(-6, 4).exp()
        a = torch.linalg.lstsq(e * length[:, None], s).solution
        along = ((e @ a) * s).sum(-1) / (e @ a).square().sum(-1)
        fits = along > 1e-3
        w = torch.linalg.lstsq(e[fits], along[fits].log()).solution
    model.sense.turn.weight.data = a.T.float().contiguous()
    model.sense.weight.weight.data = w[None].float()
    return model


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("gguf")
    parser.add_argument("checkpoint")
    options = parser.parse_args()
    plain = read(options.gguf)
    model = factor(plain, torch.load(meaning.PATH).float())
    again = model.merged()
    off = lambda a, b: round(((a - b).norm() / b.norm()).item(), 4)
    print(json.dumps({"embeddings off by": off(again.embed.weight, plain.embed.weight), "senses off by": off(again.sense.weight, plain.sense.weight)}))
    torch.save({"model": model.state_dict(), "config": model.config.as_dict(), "step": 0, "tokens": 0, "seconds": 0.0}, options.checkpoint)


if __name__ == "__main__":
    main()
