"""Greedy decoding under the grammar of FORMAT.md, for evaluation: one tool list, many goals at once.

It is a plain reading of the format, slow and short; the engine in Rust is the one that ships. Spans are
restricted to what code would offer: quantities that `quantities.find` sees, whole words otherwise.
"""

import re

import torch

import encode as en
import quantities
import tokenizer as tk
from compose import ASK, SKIP
from model import segment_mask

CALLS_MAX = 12
DETERMINERS = set("the a an some my our your his her their this that these those any please to in on at into onto of and then".split())
QUANTITIES = set(quantities.UNITS) | {"number", "integer"}
RELATION = re.compile(r"(?:in front of|on top of|to the (?:left|right) of)\b")
WORD = re.compile(r"[\[(][^\])]*[\])]|[^\s,;:!?\"()\[\]]+")


AGAIN = set("again twice thrice times repeat repeated more another same both each every two three four five".split())
PLAIN = set("the a an to in on at of it is and then my your you i please for with that this we me so".split())


def once(text, calls):
    """The calls as the runtime takes them: the same one in a row is done once, unless a word says it is to be done again or is said again."""
    words = [w for w in re.findall(r"[a-z']+", text.lower()) if w not in PLAIN]
    if AGAIN & set(words) or len(set(words)) < len(words):
        return calls
    said = lambda a: text[a[0]:a[1]] if isinstance(a, tuple) else a
    same = lambda a, b: said(a) == said(b) or isinstance(a, tuple) and isinstance(b, tuple) and said(b) in ("it", "them", "that", "this", "him", "her")
    kept = []
    for index, arguments in calls:
        before = kept[-1] if kept else (None, [])
        if index != before[0] or not all(map(same, before[1], arguments)):
            kept.append((index, arguments))
    return kept


def cut(calls):
    """Of a plan that is one call said over and over until it is full, two stay, as in the engine."""
    return calls[:2] if len(calls) == CALLS_MAX and all(call == calls[0] for call in calls) else calls


def word_spans(text):
    """Whole words without surrounding punctuation; bracketed coordinates are one word."""
    out = []
    for match in WORD.finditer(text):
        start, end = match.span()
        while end > start + 1 and text[end - 1] in ".'":
            end -= 1
        if text[start] == "'" and end > start + 1:
            start += 1
        if any(c.isalnum() for c in text[start:end]):
            out.append((start, end))
    return out


def candidates(kind, text):
    """Character spans of `text` that an argument of `kind` may be."""
    if kind in QUANTITIES:
        return quantities.find(kind, text)
    words = word_spans(text)
    first = [w for w in words if kind == "text" or text[w[0]:w[1]] not in DETERMINERS or text[w[0]:w[1]] in ("this", "that", "these", "those", "her", "his")
             or RELATION.match(text, w[0])]
    return [(a[0], b[1]) for a in first for b in words if b[1] >= a[1] and b[0] - a[0] < 90]


class Reader:
    """A model with one tool list read in."""

    def __init__(self, model, encoder, tools):
        self.model, self.encoder, self.tools = model, encoder, tools
        self.doubt = 0.0      # by how much doing nothing outweighed the best tool for the last goal
        ids, self.index_at, tool_of = encoder.lines(tools)
        self.base = len(ids)
        self.shapes = en.shapes_of(tools, encoder)
        x = torch.tensor([ids])
        with torch.no_grad():
            self.hidden, self.past = model(x, torch.arange(self.base)[None], segment_mask(torch.zeros_like(x), torch.zeros_like(x)))
            of = torch.tensor(tool_of)
            words = [x[0, of == i] for i in range(len(tools))]
            self.lines = torch.stack([model.sum_of_senses(w, torch.ones(len(w))) for w in words])

    def states(self, ids):
        """Hidden states of one segment behind the tool list."""
        t = len(ids)
        own = segment_mask(torch.zeros(1, t), torch.tensor([en.wholes(ids)]))
        mask = torch.cat((torch.ones(1, 1, t, self.base, dtype=torch.bool), own), -1)
        with torch.no_grad():
            return self.model(torch.tensor([ids]), torch.arange(self.base, self.base + t)[None], mask, self.past)[0][0]

    def plan(self, text, example=None):
        """The calls of one goal: `[(tool index, [argument])]`, arguments as in `Goal`, and the tokens decoded."""
        goal_ids, offsets = self.encoder.goal(text)
        before = []
        if example is not None:
            past_ids, past_offsets = self.encoder.goal(example.text)
            before = [tk.EXAMPLE] + past_ids + [tk.PLAN]
            before += en.plan(example, past_ids, 0, past_offsets, self.shapes, self.encoder, 0)[0]
        ids = before + [tk.GOAL] + goal_ids + [tk.PLAN]
        goal_at = len(before) + 1
        writer = _Writer(self, ids, goal_at, len(goal_ids), offsets, text)
        calls = []
        while len(calls) < CALLS_MAX:
            index = writer.tool(first=not calls)
            if index is None:
                break
            arguments = []
            calls.append((index, arguments))
            used = set()
            for slot, shape in zip(self.tools[index].slots, self.shapes[index]):
                writer.ids += shape.head
                argument = writer.option(shape) if shape.options else writer.span(slot, used)
                arguments.append(argument)
                if argument == ASK:
                    return once(text, calls), len(writer.ids) - len(ids)
        return once(text, cut(calls)), len(writer.ids) - len(ids)


class _Writer:
    """The plan so far, and the choices that continue it."""

    def __init__(self, reader, ids, goal_at, goal_size, offsets, text):
        self.reader, self.model, self.ids = reader, reader.model, list(ids)
        self.goal_at, self.goal_size, self.offsets, self.text = goal_at, goal_size, offsets, text

    def last(self):
        self.hidden = self.reader.states(self.ids)
        return self.hidden[-1]

    def word_scores(self, state, tokens):
        return self.model.rows[tokens] @ state

    def about(self, state):
        """What the decision is about."""
        goal = slice(self.goal_at, self.goal_at + self.goal_size)
        ids = torch.tensor([self.ids[goal]])
        return self.model.about(state[None, None], self.hidden[None, goal], torch.ones(1, 1, self.goal_size, dtype=torch.bool), ids)[0, 0]

    def tool_scores(self, first):
        """Of each tool, and of doing nothing or no more."""
        state = self.last()
        scores = self.model.score("tool", state[None], self.reader.hidden[0, self.reader.index_at])[0]
        scores = scores + self.model.scale[0] * self.reader.lines @ self.about(state)
        other = tk.NONE if first else tk.END
        return torch.cat((scores, self.word_scores(state, [other]) + (self.model.config.caution if first else 0.0)))

    def tool(self, first):
        scores = self.tool_scores(first)
        if first:
            self.reader.doubt = (scores[-1] - scores[:-1].max()).item()
        best = scores.argmax().item()
        if best == len(self.reader.index_at):
            return None
        self.ids.append(tk.FIRST_INDEX + best)
        return best

    def option_scores(self, shape):
        """Of each option, and of the way out."""
        state = self.last()
        longest = max(map(len, shape.tokens))
        tokens = torch.tensor([o + [0] * (longest - len(o)) for o in shape.tokens])
        here = torch.tensor([[k < len(o) for k in range(longest)] for o in shape.tokens])
        wish, sense = self.model.option_scores(state[None], self.about(state)[None], tokens[None], here[None])
        return torch.cat(((wish + sense)[0], self.word_scores(state, [shape.refusal])))

    def option(self, shape):
        best = self.option_scores(shape).argmax().item()
        if best == len(shape.options):
            self.ids.append(shape.refusal)
            return SKIP if shape.refusal == tk.SKIP else ASK
        self.ids += shape.tokens[best]
        return shape.options[best]

    def span(self, slot, used):
        spans = [s for s in candidates(slot.kind, self.text) if not any(s[0] < end and start < s[1] for start, end in used)]
        by_start = {}
        for s in spans:
            start, end = en.span_tokens(s, self.offsets)
            by_start.setdefault(start, {})[end] = s
        state = self.last()
        goal = self.hidden[self.goal_at:self.goal_at + self.goal_size]
        starts = sorted(by_start)
        scores = self.model.score("start", state[None], goal[starts])[0] if starts else torch.empty(0)
        refusal = tk.SKIP if slot.optional else tk.ASK
        scores = torch.cat((scores, self.word_scores(state, [refusal])))
        best = scores.argmax().item()
        if best == len(starts):
            self.ids.append(refusal)
            return SKIP if slot.optional else ASK
        start = starts[best]
        self.ids.append(self.ids[self.goal_at + start])
        state = self.last()
        ends = sorted(by_start[start])
        end = ends[self.model.score("end", state[None], goal[ends])[0].argmax().item()]
        self.ids.append(self.ids[self.goal_at + end])
        used.add(by_start[start][end])
        return by_start[start][end]
