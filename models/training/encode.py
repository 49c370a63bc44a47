"""Samples to tokens: the prompt and the plan language of FORMAT.md, and what is asked of the model at each place.

A `Decision` says which softmax decides at a position and which candidate is right; training and
evaluation share it, so what is trained is what is decoded.
"""

from dataclasses import dataclass, field

import tokenizer as tk

TOOL, START, STOP, WORD = range(4)   # a call; a span's start; its end; a vocabulary token


@dataclass
class Decision:
    kind: int
    at: int              # position whose state decides
    target: int          # TOOL: tool index, -1 end, -2 none; START/STOP: position, -1 skip, -2 ask; WORD: token id
    low: int = 0         # START/STOP: first and last+1 goal position that are candidates
    high: int = 0
    first: bool = False  # TOOL: <none> is a candidate
    weight: float = 1.0


@dataclass
class Sequence:
    ids: list = field(default_factory=list)
    positions: list = field(default_factory=list)
    segments: list = field(default_factory=list)    # 0 for the tool list, then 1, 2, ...
    decisions: list = field(default_factory=list)
    index_tokens: list = field(default_factory=list)
    goals: int = 0


class Encoder:
    """Keeps the tokens of runs of text that return again and again."""

    def __init__(self, tokenizer=None):
        self.tokenizer = tokenizer or tk.load()
        self.cache = {}

    def run(self, text):
        ids = self.cache.get(text)
        if ids is None:
            if len(self.cache) > 50_000:
                self.cache.clear()
            ids = self.cache[text] = self.tokenizer.encode(text.lower()).ids
        return ids

    def tools(self, tools):
        """The prompt's tool part and the positions of the index tokens."""
        ids, index_tokens = [tk.TOOLS], []
        for i, tool in enumerate(tools):
            head, params = tool.line()
            ids += self.run(head)
            for param in params:
                ids.append(tk.PARAM)
                ids += self.run(param)
            index_tokens.append(len(ids))
            ids.append(tk.FIRST_INDEX + i)
        return ids, index_tokens

    def goal(self, text):
        """The goal's tokens and, per token, the characters of `text` it covers."""
        encoding = self.tokenizer.encode(" " + text)
        return encoding.ids, [(max(0, a - 1), b - 1) for a, b in encoding.offsets]


def span_tokens(span, offsets):
    """First and last token of a character span."""
    start = next(i for i, (a, b) in enumerate(offsets) if b > span[0])
    end = max(i for i, (a, b) in enumerate(offsets) if a < span[1])
    return start, end


def plan(goal, goal_ids, goal_at, offsets, shapes, encoder, at):
    """Tokens of the plan and its decisions; `goal_at` is the position of the goal's first token, `at` that of `<plan>`."""
    ids, decisions = [], []
    low, high = goal_at, goal_at + len(goal_ids)
    here = lambda: at + len(ids)
    for n, (index, arguments) in enumerate(goal.calls):
        decisions.append(Decision(TOOL, here(), index, first=n == 0, weight=1.5))
        ids.append(tk.FIRST_INDEX + index)
        for argument, enumerated in zip(arguments, shapes[index]):
            if argument in ("<skip>", "<ask>"):
                token = tk.SKIP if argument == "<skip>" else tk.ASK
                if enumerated:
                    decisions.append(Decision(WORD, here(), token, weight=1.0))
                else:
                    decisions.append(Decision(START, here(), -1 if token == tk.SKIP else -2, low, high, weight=1.0))
                ids.append(token)
                if token == tk.ASK:
                    return ids, decisions
            elif enumerated:
                for k, token in enumerate(encoder.run(" " + argument)):
                    decisions.append(Decision(WORD, here(), token, weight=1.5 if k == 0 else 0.5))
                    ids.append(token)
                decisions.append(Decision(WORD, here(), tk.PARAM, weight=0.2))
                ids.append(tk.PARAM)
            else:
                start, end = span_tokens(argument, offsets)
                decisions.append(Decision(START, here(), goal_at + start, low, high, weight=1.5))
                ids.append(goal_ids[start])
                decisions.append(Decision(STOP, here(), goal_at + end, goal_at + start, high, weight=1.5))
                ids.append(goal_ids[end])
    if not goal.calls:
        decisions.append(Decision(TOOL, here(), -2, first=True, weight=1.0))
        ids.append(tk.NONE)
    else:
        decisions.append(Decision(TOOL, here(), -1, weight=0.7))
        ids.append(tk.END)
    return ids, decisions


def add_segment(sequence, base, segment, shapes, encoder):
    """Append `<goal> .. <plan> ..` (with its worked example) as a segment that restarts at `base`."""
    number = sequence.goals + 1
    ids, decisions = [], []
    start = len(sequence.ids)
    parts = ([(tk.EXAMPLE, segment.example)] if segment.example else []) + [(tk.GOAL, segment.goal)]
    for marker, goal in parts:
        goal_ids, offsets = encoder.goal(goal.text)
        goal_at = start + len(ids) + 1
        ids += [marker] + goal_ids + [tk.PLAN]
        plan_ids, plan_decisions = plan(goal, goal_ids, goal_at, offsets, shapes, encoder, start + len(ids) - 1)
        ids += plan_ids
        decisions += plan_decisions
    sequence.ids += ids[:-1]      # nothing is decided at the last token
    sequence.positions += range(base, base + len(ids) - 1)
    sequence.segments += [number] * (len(ids) - 1)
    sequence.decisions += decisions
    sequence.goals = number


def shapes_of(tools):
    """Per tool, per parameter: whether it is an enumeration."""
    return [[bool(s.options) for s in t.slots] for t in tools]


def encode(tools, segments, encoder, limit):
    """One training sequence of at most `limit` tokens; segments that no longer fit are left out."""
    sequence = Sequence()
    sequence.ids, sequence.index_tokens = encoder.tools(tools)
    base = len(sequence.ids)
    if base > limit - 64:
        return None
    sequence.positions = list(range(base))
    sequence.segments = [0] * base
    shapes = shapes_of(tools)
    for segment in segments:
        before = (len(sequence.ids), len(sequence.decisions))
        add_segment(sequence, base, segment, shapes, encoder)
        if len(sequence.ids) > limit:
            del sequence.ids[before[0]:], sequence.positions[before[0]:], sequence.segments[before[0]:], sequence.decisions[before[1]:]
            sequence.goals -= 1
            break
    return sequence if sequence.goals else None
