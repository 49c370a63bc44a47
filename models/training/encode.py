"""Samples to tokens: the prompt and the plan language of FORMAT.md, and what is asked of the model at each place.

A `Decision` says which softmax decides at a position and which candidate is right; training and
evaluation share it, so what is trained is what is decoded.
"""

from dataclasses import dataclass, field

import tokenizer as tk
from model import GOAL_MAX

TOOL, START, STOP, OPTION = range(4)   # a call; a span's start; its end; an option of an enumeration


@dataclass
class Decision:
    kind: int
    at: int              # position whose state decides
    target: int          # TOOL: tool index; START/STOP: position; OPTION: its index; -1: none of these but `refusal`
    low: int             # first and last+1 position of the goal (of the candidates, for STOP)
    high: int
    refusal: int = 0     # the control token that stands for no tool, no more tools, or no such argument
    weight: float = 1.0
    options: list = field(default_factory=list)     # OPTION: the tokens of each


@dataclass
class Shape:
    """What a plan needs to know of a parameter."""

    head: list           # the tokens that announce its argument: `<param> name`
    options: list        # texts of an enumeration's options; empty for what is a span
    tokens: list         # the tokens of each
    refusal: int         # `<skip>` of an optional parameter, `<ask>` of a required one


@dataclass
class Sequence:
    ids: list = field(default_factory=list)
    positions: list = field(default_factory=list)
    segments: list = field(default_factory=list)    # 0 for the tool list, then 1, 2, ...
    wholes: list = field(default_factory=list)      # `wholes` of the tokens
    decisions: list = field(default_factory=list)
    index_tokens: list = field(default_factory=list)
    tool_of: list = field(default_factory=list)     # per token of the tool list: whose line's word it is, -1 for control tokens
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

    def lines(self, tools):
        """The prompt's tool part, the positions of the index tokens, and per token the tool whose word it is."""
        ids, index_tokens, tool_of = [tk.TOOLS], [], [-1]
        for i, tool in enumerate(tools):
            head, params = tool.line()
            ids += self.run(head)
            for param in params:
                ids.append(tk.PARAM)
                ids += self.run(param)
            index_tokens.append(len(ids))
            ids.append(tk.FIRST_INDEX + i)
            tool_of += [i if token >= len(tk.CONTROLS) else -1 for token in ids[len(tool_of):]]
        return ids, index_tokens, tool_of

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
        decisions.append(Decision(TOOL, here(), index, low, high, tk.END if n else tk.NONE, 1.5))
        ids.append(tk.FIRST_INDEX + index)
        for argument, shape in zip(arguments, shapes[index]):
            ids += shape.head
            refused = argument in ("<skip>", "<ask>")
            kind = OPTION if shape.options else START
            if refused:
                decisions.append(Decision(kind, here(), -1, low, high, shape.refusal, 1.0, shape.tokens))
                ids.append(shape.refusal)
                if shape.refusal == tk.ASK:
                    return ids, decisions
            elif kind == OPTION:
                option = shape.options.index(argument)
                decisions.append(Decision(OPTION, here(), option, low, high, shape.refusal, 1.5, shape.tokens))
                ids += shape.tokens[option]
            else:
                start, end = span_tokens(argument, offsets)
                decisions.append(Decision(START, here(), goal_at + start, low, high, shape.refusal, 1.5))
                ids.append(goal_ids[start])
                decisions.append(Decision(STOP, here(), goal_at + end, goal_at + start, high, weight=1.5))
                ids.append(goal_ids[end])
    if not goal.calls:
        decisions.append(Decision(TOOL, here(), -1, low, high, tk.NONE, 1.0))
        ids.append(tk.NONE)
    else:
        decisions.append(Decision(TOOL, here(), -1, low, high, tk.END, 0.7))
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


def wholes(ids):
    """Per token the number of the goal it belongs to, 0 for none. The tokens of a goal, from its marker to `<plan>`, all see each other."""
    out, number = [], 0
    for at, token in enumerate(ids):
        number = at + 1 if token in (tk.GOAL, tk.EXAMPLE) else number
        out.append(number)
        number = 0 if token == tk.PLAN else number
    return out


def shapes_of(tools, encoder):
    """Per tool the shape of each parameter."""
    return [[Shape([tk.PARAM] + encoder.run(" " + s.name), s.options, [encoder.run(" " + o) for o in s.options], tk.SKIP if s.optional else tk.ASK) for s in t.slots] for t in tools]


def encode(tools, segments, encoder, limit):
    """One training sequence of at most `limit` tokens; segments that no longer fit are left out, and so are goals that attention could not see whole."""
    sequence = Sequence()
    sequence.ids, sequence.index_tokens, sequence.tool_of = encoder.lines(tools)
    base = len(sequence.ids)
    if base > limit - 64:
        return None
    sequence.positions = list(range(base))
    sequence.segments = [0] * base
    shapes = shapes_of(tools, encoder)
    for segment in segments:
        if max(len(encoder.goal(goal.text)[0]) for goal in (segment.goal, segment.example) if goal) + 2 > GOAL_MAX:
            continue
        before = (len(sequence.ids), len(sequence.decisions))
        add_segment(sequence, base, segment, shapes, encoder)
        if len(sequence.ids) > limit:
            del sequence.ids[before[0]:], sequence.positions[before[0]:], sequence.segments[before[0]:], sequence.decisions[before[1]:]
            sequence.goals -= 1
            break
    sequence.wholes = wholes(sequence.ids)
    return sequence if sequence.goals else None
