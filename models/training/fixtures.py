"""Fixtures for the Rust engine: what a planner with random weights must answer.

    python fixtures.py        # writes ../tests/fixtures/tiny-random.json

Both sides draw the weights from a seed (`../tests/fixtures/dice.py`), so none are kept; the digest shows that they drew the same.
"""

import hashlib
import json
import sys
from pathlib import Path

import torch

import decode
import encode as en
import evaluate
import generate
import tokenizer as tk
from export import gguf_name
from model import POINTERS, Config, Planner, segment_mask

FOLDER = Path(__file__).parent.parent / "tests" / "fixtures"
sys.path.append(str(FOLDER))
import dice  # noqa: E402
TEXTS = [" pick up the red cube and put it in bin a", " move the arm 30 cm to the left", " go to (1, 1, 1.5), then activate the tool", " i'd like 12.5 degrees, please!", " don't",
         " direction left/right/forward/back/up/down", " what's the temperature? 21°c", " zorbel-7 x3", "  two  spaces ", " ünïcode → ok", " say \"hello world\"...", " 50%", " o'clock 10:30", ""]


LINES = ["lamp: switch the lamp on or off | state on/off", "move arm: move the arm in a direction by a distance | direction left/right/zorbelwise | distance? length", "stop: stop at once"]
SEED = 1
GOAL = "Move the arm 30 cm the other way"


def decisions(model, encoder):
    """The scores of the first two decisions of a request."""
    tools = [evaluate._tool(line) for line in LINES]
    reader = decode.Reader(model, encoder, tools)
    ids, offsets = encoder.goal(GOAL.lower())
    writer = decode._Writer(reader, [tk.GOAL] + ids + [tk.PLAN], 1, len(ids), offsets, GOAL.lower())
    tool = writer.tool_scores(True)
    shape = reader.shapes[1][0]
    writer.ids += [tk.FIRST_INDEX + 1] + shape.head
    return [[round(x, 5) for x in scores.tolist()] for scores in (tool, writer.option_scores(shape))]


def drawn(seed):
    """The model whose weights come from `seed`, and the digest of their bytes, in the order of `recipe_model` in `../tests/support/mod.rs`."""
    model, rolls, digest = Planner(Config(layers=2, kv_heads=2, meaning=0, merged=True, caution=1.5)).eval(), dice.Dice(seed), hashlib.sha256()
    parameters = {gguf_name(name): parameter for name, parameter in model.named_parameters()}
    parts = ("attn_norm", "attn_q", "attn_k", "attn_v", "attn_q_norm", "attn_k_norm", "attn_output", "ffn_norm", "ffn_gate", "ffn_up", "ffn_down")
    names = ["token_embd.weight"] + [f"blk.{layer}.{part}.weight" for layer in range(2) for part in parts] + ["output_norm.weight"]
    for name in names + [f"pointer.{pointer}.weight" for pointer in POINTERS] + ["sense.weight"]:
        shape = parameters[name].shape
        raw, numbers = dice.matrix(rolls, "Q8_0", *shape, scale=2.0 ** -11) if len(shape) == 2 else dice.norm(rolls, *shape)
        digest.update(raw)
        parameters.pop(name).data = numbers
    model.scale.data = torch.tensor([5.0, 3.0])
    assert list(parameters) == ["sense.scale"], list(parameters)
    return model, digest.hexdigest()


def main():
    model, digest = drawn(SEED)
    tokenizer = tk.load()
    tools, goals = next(evaluate.written(evaluate.HAND / "demo.jsonl"))
    goal = max((goal for goal, _ in goals), key=lambda goal: (len(goal.calls), len(goal.text)))
    sequence = en.encode(tools, [generate.Segment(goal)], en.Encoder(tokenizer), 640)
    ids = torch.tensor([sequence.ids])
    with torch.no_grad():
        states = lambda wholes: model(ids, torch.arange(ids.shape[1])[None], segment_mask(torch.zeros_like(ids), wholes))[0]
        logprobs = (states(torch.zeros_like(ids)) @ model.rows.T).log_softmax(-1)[0, :-1].gather(1, ids[0, 1:, None])[:, 0]
        hidden = states(torch.tensor([sequence.wholes]))
        low, high = ids[0].tolist().index(tk.GOAL) + 1, ids[0].tolist().index(tk.PLAN)
        pairs = [(ids.shape[1] - 1, 0), (low, low), (high, low), (ids.shape[1] - 1, 5), (ids.shape[1] // 2, 3), (ids.shape[1] - 3, ids.shape[1] - 9), (10, 10)]
        scores = {head: model.score(head, hidden, hidden)[0] for head in ("tool", "start", "end", "about")}
        allowed = torch.zeros(1, 1, ids.shape[1], dtype=torch.bool)
        allowed[..., low:high] = True
        runs = [[t for t in sequence.ids[a:b] if t >= len(tk.CONTROLS)] for a, b in zip([0] + sequence.index_tokens, sequence.index_tokens)] + [[ids[0, low].item()]]
        cosines = []
        for s in (high, ids.shape[1] - 1):
            about = model.about(hidden[:, s:s + 1], hidden, allowed, ids)[0, 0]
            cosines += [{"s": s, "words": run, "value": round((about @ model.sum_of_senses(torch.tensor(run), torch.ones(len(run)))).item(), 6)} for run in runs]
        chosen = decisions(model, en.Encoder(tokenizer))
    out = {
        "about": "llmos.format 3; f32 arithmetic over the Q8_0 weights that `seed` draws; logprobs[i] is of tokens[i + 1] after tokens[..= i], natural log, all attention causal; elsewhere a goal sees itself whole",
        "seed": SEED,
        "sha256": digest,
        "tokens": sequence.ids,
        "logprobs": [round(x, 6) for x in logprobs.tolist()],
        "pointer": [{"head": head, "s": s, "p": p, "score": round(m[s, p].item(), 6)} for head, m in scores.items() for s, p in pairs],
        "goal": [low, high],
        "decisions": chosen,
        "sense": cosines,
        "text": [{"text": text, "ids": tokenizer.encode(text).ids} for text in TEXTS],
    }
    (FOLDER / "tiny-random.json").write_text(json.dumps(out, ensure_ascii=False, indent=1) + "\n")
    print("wrote", FOLDER, len(sequence.ids), "tokens")


if __name__ == "__main__":
    main()
