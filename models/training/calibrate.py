"""Chooses how readily a model does nothing, on goals whose errors may be read, and writes it into the checkpoint.

    python calibrate.py run/checkpoint.pt

Of the values tried it takes the one with the fewest false calls among those that plan within a point as many goals of those sets whose errors may be read
to the letter as the best does: a call that nobody asked for costs more than a question. No other set is looked at.
"""

import argparse
import json

import torch

import evaluate
from export import dequantized
from train import load_model

TRIED = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0)
SETS = ("dev", "service", "demo", "broad")
ALLOWED = 1.0      # points of goals planned to the letter


def scores(model, caution):
    """Percent planned to the letter, and percent of the goals for nothing that got a call."""
    model.config.caution = caution
    rows = [evaluate.run(model, evaluate.written(evaluate.HAND / f"{name}.jsonl")) for name in SETS]
    return 100 * sum(r.exact for r in rows) / sum(r.goals for r in rows), 100 * sum(r.false_calls for r in rows) / sum(r.none for r in rows)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("checkpoint")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    model, state = load_model(options.checkpoint)
    plain = dequantized(model.merged().eval())
    tried = {}
    for caution in TRIED:
        tried[caution] = exact, false = scores(plain, caution)
        print(json.dumps({"caution": caution, "exact": round(exact, 1), "false_calls": round(false, 1)}), flush=True)
    best = max(exact for exact, _ in tried.values())
    chosen = min((false, caution) for caution, (exact, false) in tried.items() if exact >= best - ALLOWED)[1]
    state["config"]["caution"] = chosen
    torch.save(state, options.checkpoint)
    print(json.dumps({"chosen": chosen}))


if __name__ == "__main__":
    main()
