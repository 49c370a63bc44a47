"""Scores of a model on goals that training did not see.

    python evaluate.py ../default/llmos-tiny.gguf        # the weights in the box, all sets
    python evaluate.py run/checkpoint.pt                 # a checkpoint, as it would be exported
    python evaluate.py run/checkpoint.pt --random        # the same with random weights
    python evaluate.py run/checkpoint.pt --set d --errors

Sets: (a) fresh goals over the training families' own tools, (b) the same with every tool renamed `action n`, (bare) with every
parameter renamed `argument n` besides, (mix) the draw that training sees, where a fifth of the tools is invented and a seventh renamed;
(c) device families held out of training, (d) hand-written goals by who had not seen the generator, (d8) those of its ten tool lists that are no robot
among people, since training has many of those; (hubs) hand-written goals over four lists of broad tools by who had seen nothing else; (demo) hand-written goals of the desk arm and its neighbours, (dev), (service) and (broad: few tools
whose many parameters are optional) hand-written goals whose errors were read during development and which thus measure nothing any more.
"""

import argparse
import json
import re
import time
from pathlib import Path
from types import SimpleNamespace

import torch

import encode as en
import generate
import restore
from compose import ASK, SKIP, Goal
from decode import Reader
from export import dequantized
from model import Planner
from train import load_model

HAND = Path(__file__).with_name("handwritten")
SEED = 2_000_000_000
DRAWN = ("a", "b", "c", "mix", "bare")
AMONG_PEOPLE = {7, 10}      # of the ten lists of (d), named by who wrote neither them nor the families


def generated(name, lists, goals):
    """`(tools, [(goal, example)])` of the sets that are drawn."""
    for k in range(lists):
        source = generate.HELDOUT if name == "c" else generate.TRAIN
        tools, segments = generate.sample(SEED + k + 50_000 * DRAWN.index(name), goals, source, written=name in ("a", "b", "bare"))
        for i, tool in enumerate(tools):
            if name in ("b", "bare"):
                tool.name = f"action {i + 1}"
            if name == "bare":
                for n, slot in enumerate(tool.slots):
                    slot.name = f"argument {n + 1}"
        yield tools, [(s.goal, s.example) for s in segments]


def written(path):
    """Hand-written sets: a JSONL whose lines are tool lists (`tools`) or goals (`goal`, `calls`) over the last list."""
    tools, goals = None, []
    for line in path.read_text().splitlines():
        entry = json.loads(line)
        if "tools" in entry:
            if tools:
                yield tools, goals
            tools, goals = [_tool(t) for t in entry["tools"]], []
        else:
            goals.append((_goal(entry, tools), None))
    yield tools, goals


def _tool(text):
    """`move: move the arm | direction left/right | distance? length` as a tool."""
    head, *params = [p.strip() for p in text.split("|")]
    slots = []
    for p in params:
        name, kind = p.rsplit(" ", 1)
        slots.append(SimpleNamespace(name=name.rstrip("?"), optional=name.endswith("?"), options=kind.split("/") if "/" in kind else [], kind=kind))
    line = (f" {head}", [f" {p}" for p in params])
    return SimpleNamespace(name=head.split(":")[0], slots=slots, line=lambda: line)


def _goal(entry, tools):
    text = entry["goal"].lower()
    calls, names = [], [t.name for t in tools]
    for name, *arguments in entry["calls"]:
        tool = tools[names.index(name)]
        listed = []
        for slot, a in zip(tool.slots, arguments):
            if a in (SKIP, ASK) or slot.options:
                listed.append(a)
            else:
                at = text.find(a.lower())
                assert at >= 0, (a, text)
                listed.append((at, at + len(a)))
        assert len(listed) == len(tool.slots) or listed[-1] == ASK, entry
        calls.append((names.index(name), listed))
    return Goal(text, calls)


PRONOUNS = {"it", "them", "him", "her", "that", "this", "these", "those"}


def readable(goal_text, calls):
    """Calls with their arguments as text.

    An article in front changes nothing, since a name is a name with it and without; and a pronoun is the last thing named by
    an earlier call, as the runtime has it (which also minds what the parameters are called).
    """
    out, last = [], None
    for index, arguments in calls:
        shown = []
        for a in arguments:
            if isinstance(a, tuple):
                a = re.sub(r"^(the|a|an) ", "", goal_text[a[0]:a[1]])
                a = last if a in PRONOUNS and last else a
            shown.append(a)
        named = [text for text, a in zip(shown, arguments) if isinstance(a, tuple) and not re.search(r"\d", text) and text not in PRONOUNS]
        last = named[0] if named else last
        out.append((index, shown))
    return out


class Score:
    def __init__(self):
        self.goals = self.exact = self.tools = self.tool_total = self.args = self.arg_total = 0
        self.none = self.false_calls = self.ask = self.asked = self.tokens = self.single = self.single_exact = 0
        self.errors = []

    def add(self, goal, calls, tokens, names):
        want, got = readable(goal.text, goal.calls), readable(goal.text, calls)
        self.goals += 1
        self.tokens += tokens
        self.exact += want == got
        if not want:
            self.none += 1
            self.false_calls += bool(got)
        if want and ASK in want[-1][1]:
            self.ask += 1
            self.asked += bool(got) and ASK in got[-1][1]
        if len(want) == 1:
            self.single += 1
            self.single_exact += want == got
        for k, (index, arguments) in enumerate(want):
            self.tool_total += 1
            if k < len(got) and got[k][0] == index:
                self.tools += 1
                self.arg_total += len(arguments)
                self.args += sum(a == b for a, b in zip(arguments, got[k][1]))
        if want != got:
            show = lambda calls: "; ".join(f"{names[i]}({', '.join(a)})" for i, a in calls) or "<none>"
            self.errors.append(f"{goal.text}\n      want {show(want)}\n      got  {show(got)}")

    def row(self):
        part = lambda a, b: round(100 * a / b, 1) if b else None
        return {"goals": self.goals, "exact": part(self.exact, self.goals), "exact_single": part(self.single_exact, self.single), "tool": part(self.tools, self.tool_total),
                "arguments": part(self.args, self.arg_total), "false_calls": part(self.false_calls, self.none), "irrelevant": self.none,
                "asked": part(self.asked, self.ask), "asks": self.ask, "tokens_per_goal": round(self.tokens / self.goals, 1)}


def sets(options):
    for name in options.set:
        if name == "d":
            yield name, written(HAND / "unseen.jsonl")
        elif name == "d8":
            yield name, (listed for number, listed in enumerate(written(HAND / "unseen.jsonl"), 1) if number not in AMONG_PEOPLE)
        elif name in ("demo", "dev", "service", "broad", "hubs"):
            yield name, written(HAND / f"{name}.jsonl")
        else:
            yield name, generated(name, options.lists, 8)


def run(model, tool_lists):
    score, encoder = Score(), en.Encoder()
    for tools, goals in tool_lists:
        reader = Reader(model, encoder, tools)
        for goal, example in goals:
            calls, tokens = reader.plan(goal.text, example)
            score.add(goal, calls, tokens, [t.name for t in tools])
    return score


def load(path, drawn):
    """The network of a container, or of a checkpoint as it would be exported, and its name; with `drawn` one of that shape and random weights."""
    as_is = path.endswith(".gguf")
    if as_is:
        model, name = restore.read(path), Path(path).name
    else:
        model, state = load_model(path)
        name = f"step {state['step']}"
    if drawn:
        torch.manual_seed(0)
        model, name, as_is = Planner(model.config), "random", False
    model = model.merged().eval()
    return (model if as_is else dequantized(model)), name


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("weights", help="a container (.gguf) or a checkpoint (.pt)")
    parser.add_argument("--set", nargs="+", default=["a", "b", "c", "d", "d8", "mix", "bare", "demo", "dev", "service", "broad", "hubs"])
    parser.add_argument("--lists", type=int, default=80)
    parser.add_argument("--random", action="store_true")
    parser.add_argument("--errors", action="store_true")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    model, weights = load(options.weights, options.random)
    for name, tool_lists in sets(options):
        started = time.time()
        score = run(model, tool_lists)
        row = {"set": name, "weights": weights} | score.row()
        row["ms_per_goal_torch"] = round(1000 * (time.time() - started) / max(1, score.goals))
        print(json.dumps(row), flush=True)
        if options.errors:
            for error in score.errors:
                print("   ", error)


if __name__ == "__main__":
    main()
