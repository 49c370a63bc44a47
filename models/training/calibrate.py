"""Chooses how readily a model does nothing, on goals whose errors may be read, and writes it into the checkpoint.

    python calibrate.py run/checkpoint.pt

Of the values tried it takes the one with the fewest false calls among those that plan within a point as many goals of those sets whose errors may be read
to the letter as the best does: a call that nobody asked for costs more than a question. No other set is looked at.
"""

import argparse
import json

import torch

import encode
import evaluate
from decode import Reader
from export import dequantized
from train import load_model

TRIED = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0)
SETS = ("dev", "service", "demo", "broad")
ALLOWED = 1.0      # points of goals planned to the letter
EAGER = -100.0     # a caution with which the model always calls something


def planned(model):
    """Of every goal what is called if something is, and by how much the model would rather do nothing."""
    model.config.caution = EAGER
    encoder, out = encode.Encoder(), []
    for name in SETS:
        for tools, goals in evaluate.written(evaluate.HAND / f"{name}.jsonl"):
            reader = Reader(model, encoder, tools)
            for goal, example in goals:
                calls, tokens = reader.plan(goal.text, example)
                out.append((goal, calls, tokens, [t.name for t in tools], reader.doubt - EAGER))
    return out


def scores(plans, caution):
    """Percent planned to the letter, and percent of the goals for nothing that got a call."""
    score = evaluate.Score()
    for goal, calls, tokens, names, doubt in plans:
        score.add(goal, [] if doubt + caution > 0 else calls, tokens, names)
    return 100 * score.exact / score.goals, 100 * score.false_calls / score.none


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("checkpoint")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    model, state = load_model(options.checkpoint)
    plans = planned(dequantized(model.merged().eval()))
    tried = {}
    for caution in TRIED:
        tried[caution] = exact, false = scores(plans, caution)
        print(json.dumps({"caution": caution, "exact": round(exact, 1), "false_calls": round(false, 1)}), flush=True)
    best = max(exact for exact, _ in tried.values())
    chosen = min((false, caution) for caution, (exact, false) in tried.items() if exact >= best - ALLOWED)[1]
    state["config"]["caution"] = chosen
    torch.save(state, options.checkpoint)
    print(json.dumps({"chosen": chosen}))


if __name__ == "__main__":
    main()
