"""Training: fresh samples by seed, Muon for the matrices and AdamW for the rest, a schedule that can end any time.

    python train.py --out run --minutes 80            # constant rate after warm-up; checkpoints every few minutes
    python train.py --out run --resume --decay 300    # resume and decay to zero in 300 steps
    python train.py --out run --resume --cool --minutes 25    # the same by the clock, on a machine shared with others
"""

import argparse
import json
import signal
import time
from pathlib import Path

import torch
import torch.nn.functional as F

import encode as en
import generate
import meaning
import tokenizer as tk
from model import Config, Planner, deepened, depth, segment_mask


def batch_of(seed, step, size, length, encoder):
    """`size` sequences of at most `length` tokens; the same seed and step give the same ones."""
    out, k = [], 0
    while len(out) < size:
        tools, segments = generate.sample(((seed * 1_000_003 + step) * 1009) + k, 30)
        k += 1
        sequence = en.encode(tools, segments, encoder, length)
        if sequence is not None:
            out.append(sequence)
    return out


def tensors(sequences, device="cpu"):
    """Padded tensors of a batch and, per kind of decision, its tables."""
    longest = max(len(s.ids) for s in sequences)
    longest = (longest + 63) // 64 * 64
    b = len(sequences)
    ids = torch.zeros(b, longest, dtype=torch.long)
    positions = torch.zeros(b, longest, dtype=torch.long)
    segments = torch.full((b, longest), -1, dtype=torch.long)
    wholes = torch.zeros(b, longest, dtype=torch.long)
    tool_of = torch.full((b, longest), 32, dtype=torch.long)     # 32: no tool's word
    for i, s in enumerate(sequences):
        n = len(s.ids)
        ids[i, :n], positions[i, :n], segments[i, :n] = torch.tensor(s.ids), torch.tensor(s.positions), torch.tensor(s.segments)
        wholes[i, :n] = torch.tensor(s.wholes)
        of = torch.tensor(s.tool_of)
        tool_of[i, :len(of)] = torch.where(of < 0, 32, of)
    tables = {}
    for kind in range(4):
        rows = [[d for d in s.decisions if d.kind == kind] for s in sequences]
        width = max(1, max(map(len, rows)))
        table = torch.zeros(b, width, 5, dtype=torch.long)
        weight = torch.zeros(b, width)
        for i, row in enumerate(rows):
            if row:
                table[i, :len(row)] = torch.tensor([[d.at, d.target, d.low, d.high, d.refusal] for d in row])
                weight[i, :len(row)] = torch.tensor([d.weight for d in row])
        tables[kind] = [table.to(device), weight.to(device)]
        if kind == en.OPTION:
            most = max([len(d.options) for row in rows for d in row], default=1)
            long = max([len(o) for row in rows for d in row for o in d.options], default=1)
            options = torch.full((b, width, most, long), -1, dtype=torch.long)
            for i, row in enumerate(rows):
                for j, d in enumerate(row):
                    for k, o in enumerate(d.options):
                        options[i, j, k, :len(o)] = torch.tensor(o)
            tables[kind].append(options.to(device))
    index_at = torch.zeros(b, 32, dtype=torch.long)
    index_real = torch.zeros(b, 32, dtype=torch.bool)
    for i, s in enumerate(sequences):
        index_at[i, :len(s.index_tokens)] = torch.tensor(s.index_tokens)
        index_real[i, :len(s.index_tokens)] = True
    return ids.to(device), positions.to(device), segments.to(device), wholes.to(device), tables, index_at.to(device), index_real.to(device), tool_of.to(device)


SENSE_ALONE = 0.2     # weight of choosing tools and options by their sense alone, so that it learns what the network would do for it


def losses(model, batch):
    """Weighted loss, and per kind (right, total)."""
    ids, positions, segments, wholes, tables, index_at, index_real, tool_of = batch
    hidden, _ = model(ids, positions, segment_mask(segments, wholes))
    b, t = ids.shape
    place = torch.arange(t, device=ids.device)
    rows_at = lambda at: hidden.gather(1, at[..., None].expand(-1, -1, hidden.shape[-1]))
    lines = torch.zeros(b, 33, model.senses.shape[1], device=ids.device)
    lines = lines.scatter_add(1, tool_of[..., None].expand(-1, -1, lines.shape[-1]), F.embedding(ids, model.senses).float())
    lines = F.normalize(lines[:, :32], dim=-1)
    total, mass, counts = 0.0, 0.0, {}
    for kind, (table, weight, *more) in tables.items():
        at, target, low, high, refusal = table.unbind(-1)
        real = weight > 0
        if not real.any():
            continue
        states = rows_at(at)
        allowed = (place >= low[..., None]) & (place < high[..., None])
        alone = None
        if kind == en.TOOL:
            about = model.about(states, hidden, allowed, ids)
            alone = (model.scale[0] * about @ lines.transpose(1, 2)).masked_fill(~index_real[:, None], float("-inf"))
            scores = model.score("tool", states, rows_at(index_at)).float() + alone
        elif kind == en.OPTION:
            tokens = more[0]
            here = tokens >= 0
            about = model.about(states, hidden, allowed, ids)
            wish, alone = model.option_scores(states, about, tokens.clamp(min=0), here)
            alone = alone.masked_fill(~here.any(-1), float("-inf"))
            scores = wish + alone
        else:
            head = "start" if kind == en.START else "end"
            scores = model.score(head, states, hidden).float().masked_fill(~allowed, float("-inf"))
        if kind != en.STOP:
            scores = torch.cat((scores, model.token_scores(states, refusal[..., None]).float()), -1)
        target = torch.where(target >= 0, target, scores.shape[-1] - 1)
        if alone is not None:
            sure = real & (target < alone.shape[-1])
            if sure.any():
                total = total + SENSE_ALONE * (F.cross_entropy(alone[sure], target[sure], reduction="none") * weight[sure]).sum()
        scores, target, weight = scores[real], target[real], weight[real]
        total = total + (F.cross_entropy(scores, target, reduction="none") * weight).sum()
        mass = mass + weight.sum()
        counts[kind] = ((scores.argmax(-1) == target).sum().item(), len(target))
    return total / mass, counts


def newton_schulz(g, steps=5):
    """The nearest orthogonal matrix, roughly (Muon: Jordan et al., 2024), for a stack of matrices."""
    x = g.bfloat16()
    tall = x.shape[-2] > x.shape[-1]
    if tall:
        x = x.mT
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(steps):
        a = x @ x.mT
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    return (x.mT if tall else x).float()


class Muon(torch.optim.Optimizer):
    """Momentum with orthogonalised updates, matrices of one shape together."""

    def __init__(self, params, lr, momentum=0.95, weight_decay=0.01):
        super().__init__(params, dict(lr=lr, momentum=momentum, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            shapes = {}
            for p in group["params"]:
                if p.grad is not None:
                    shapes.setdefault(p.shape, []).append(p)
            for shape, params in shapes.items():
                updates = []
                for p in params:
                    buffer = self.state[p].setdefault("momentum", torch.zeros_like(p))
                    buffer.lerp_(p.grad, 1 - group["momentum"])
                    updates.append(p.grad.lerp(buffer, group["momentum"]))
                moved = newton_schulz(torch.stack(updates))
                scale = group["lr"] * max(1, shape[0] / shape[1]) ** 0.5
                for p, u in zip(params, moved):
                    p.mul_(1 - group["lr"] * group["weight_decay"]).add_(u, alpha=-scale)


def optimizers(model, rate):
    matrices = [p for n, p in model.named_parameters() if p.ndim == 2 and n.startswith("blocks")]
    chosen = {id(p) for p in matrices}
    own = [p for n, p in model.named_parameters() if n == "embed.own"]
    others = [p for n, p in model.named_parameters() if id(p) not in chosen and n != "embed.own"]
    groups = [{"params": others, "weight_decay": 0.01}] + ([{"params": own, "weight_decay": 0.1}] if own else [])
    return [Muon(matrices, lr=rate * 10), torch.optim.AdamW(groups, lr=rate * 1.5, betas=(0.9, 0.98))]


def save(path, model, opts, step, tokens, seconds, seed):
    state = {"model": model.state_dict(), "config": model.config.as_dict(), "optimizers": [o.state_dict() for o in opts], "step": step, "tokens": tokens, "seconds": seconds, "seed": seed}
    torch.save(state, path.with_suffix(".tmp"))
    path.with_suffix(".tmp").replace(path)


def load_model(path):
    state = torch.load(path, map_location="cpu", weights_only=True)
    model = Planner(Config(**state["config"]))
    model.load_state_dict(state["model"])
    return model, state


def rate_at(step, begin, elapsed, options):
    """Warm-up, plateau, linear decay over the `--decay` steps or, with `--cool`, the minutes of this call."""
    scale = min(1.0, (step + 1) / options.warmup)
    if options.cool:
        scale *= options.cool_from * max(0.0, 1 - elapsed / (60 * options.minutes))
    if options.decay:
        scale *= max(0.0, 1 - (step - begin) / options.decay)
    return scale


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", required=True)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--steps", type=int, default=10 ** 9)
    parser.add_argument("--decay", type=int, default=0)
    parser.add_argument("--cool", action="store_true")
    parser.add_argument("--cool-from", type=float, default=1.0, help="with --cool: the share of the rate to begin with, where a decay was broken off")
    parser.add_argument("--batch", type=int, default=12)
    parser.add_argument("--length", type=int, default=640)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--warmup", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--layers", type=int, help="6, or as many as `--start` has; more than it has begin as copies that add nothing")
    parser.add_argument("--ffn", type=int, default=512)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--start", help="a checkpoint whose weights a new run begins with; what it lacks begins at random")
    parser.add_argument("--fix-lower", action="store_true", help="words and the first layer stay as they are: less than half of the exported file changes, so that a repository keeps the difference")
    parser.add_argument("--compile", action="store_true", help="fuse the blocks with torch.compile: 1.2 times faster, needs a C++ compiler")
    parser.add_argument("--plain", action="store_true", help="word vectors from nothing, for comparison")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    out = Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    path = out / "checkpoint.pt"
    step, tokens, seconds = 0, 0, 0.0
    if options.resume and path.exists():
        model, state = load_model(path)
        step, tokens, seconds = state["step"], state["tokens"], state["seconds"]
    else:
        given = torch.load(options.start, map_location="cpu", weights_only=True)["model"] if options.start else None
        layers = options.layers or (depth(given) if given else 6)
        model, state = Planner(Config(layers=layers, ffn=options.ffn, width=options.width, heads=options.width // 64, kv_heads=options.width // 64, meaning=0 if options.plain else 384)), None
        if not options.plain:
            model.embed.learn(torch.load(meaning.PATH).float())
        if given:
            lacking, strange = model.load_state_dict(deepened(given, layers), strict=False)
            print(json.dumps({"start": options.start, "new": lacking, "left": strange}), flush=True)
    model.to(options.device).train()
    if options.fix_lower:
        model.fix_lower()
    if options.compile:
        for block in model.blocks:
            block.compile(dynamic=False)
    opts = optimizers(model, options.rate)
    base_rates = [[group["lr"] for group in o.param_groups] for o in opts]
    if state:
        for o, s in zip(opts, state["optimizers"]):
            o.load_state_dict(s)
    encoder = en.Encoder()
    begin, started, last_save = step, time.time(), time.time()
    window, window_tokens, window_time = {}, 0, time.time()
    loss_sum = 0.0
    log = open(out / "log.jsonl", "a")
    stopped = []
    signal.signal(signal.SIGTERM, lambda *_: stopped.append(1))     # a polite end saves first
    while not stopped and step < options.steps and (time.time() - started) < options.minutes * 60 and not (options.decay and step - begin >= options.decay):
        scale = rate_at(step, begin, time.time() - started, options)
        for o, rates in zip(opts, base_rates):
            for group, rate in zip(o.param_groups, rates):
                group["lr"] = rate * scale
        sequences = batch_of(options.seed, step, options.batch, options.length, encoder)
        batch = tensors(sequences, options.device)
        with torch.autocast(options.device, dtype=torch.bfloat16):
            loss, counts = losses(model, batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for o in opts:
            o.step()
            o.zero_grad(set_to_none=True)
        step += 1
        seen = sum(len(s.ids) for s in sequences)
        tokens += seen
        window_tokens += seen
        loss_sum += loss.item()
        for kind, (right, total) in counts.items():
            a, b = window.get(kind, (0, 0))
            window[kind] = (a + right, b + total)
        if step % 20 == 0:
            now = time.time()
            line = {"step": step, "tokens": tokens, "loss": round(loss_sum / 20, 4), "rate": scale, "per_s": round(window_tokens / (now - window_time))}
            line |= {name: round(window[k][0] / window[k][1], 4) for k, name in enumerate(("tool", "start", "end", "option")) if k in window}
            print(json.dumps(line), flush=True)
            log.write(json.dumps(line) + "\n")
            log.flush()
            window, window_tokens, window_time, loss_sum = {}, 0, now, 0.0
        if time.time() - last_save > 180:
            save(path, model, opts, step, tokens, seconds + time.time() - started, options.seed)
            last_save = time.time()
    save(path, model, opts, step, tokens, seconds + time.time() - started, options.seed)


if __name__ == "__main__":
    main()
