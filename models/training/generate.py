"""Samples: a tool list and the goals behind it, drawn by seed. `python generate.py --show 5` prints some.

The same seed gives the same samples, whatever ran before; training draws its data through `sample`
and never stores it.
"""

import argparse
import random
from dataclasses import dataclass

import broad
import families
from compose import Composer
from toolbox import Toolbox

TRAIN = families.load("families")
HELDOUT = families.load("heldout")


@dataclass
class Segment:
    goal: object
    example: object = None       # a similar past goal


def composer(seed, source=TRAIN, foreign=TRAIN, size=None, written=False):
    rng = random.Random(seed)
    return Composer(Toolbox(source, rng, size, written), rng, foreign)


def similar(goal, past):
    """A worked example is worth its place if it shows the first tool of the goal."""
    return bool(past.calls) and bool(goal.calls) and past.calls[0][0] == goal.calls[0][0]


def sample(seed, goals, source=TRAIN, foreign=TRAIN, written=False):
    """One tool list and `goals` segments behind it."""
    maker = composer(seed, source, foreign, written=written)
    segments, pool = [], []
    for _ in range(goals):
        goal = maker.goal()
        example = next((p for p in pool if similar(goal, p)), None) if maker.rng.random() < 0.3 else None
        if example is None and maker.rng.random() < 0.02 and pool:
            example = pool[-1] if pool[-1].calls else None
        segments.append(Segment(goal, example))
        pool.append(goal)
    tools = maker.box.tools
    if source is TRAIN and not written:
        tools, segments = broad.broaden(tools, maker.box.gadgets, segments, maker.rng)
    return tools, segments


def show(tools, segments):
    for i, tool in enumerate(tools):
        head, params = tool.line()
        print(f"  <t{i}>{head} |{' |'.join(params)}")
    for s in segments:
        plan = []
        for index, arguments in s.goal.calls:
            shown = [repr(s.goal.text[a[0]:a[1]]) if isinstance(a, tuple) else a for a in arguments]
            plan.append(f"{tools[index].name}({', '.join(shown)})")
        print(f"    {s.goal.text}\n        -> {'; '.join(plan) or '<none>'}{'   [example]' if s.example else ''}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--show", type=int, default=3)
    parser.add_argument("--goals", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--heldout", action="store_true")
    options = parser.parse_args()
    for k in range(options.show):
        print(f"--- seed {options.seed + k}")
        show(*sample(options.seed + k, options.goals, HELDOUT if options.heldout else TRAIN))
