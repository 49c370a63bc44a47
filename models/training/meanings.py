"""Tools that are asked for in other words: the name is one verb of a WordNet set, the line another or the gloss, the goal a third.

A tool of `invent.py` is found by its words, a tool of this file only by what they mean; its neighbours in the list do
other things to the same noun, so that the noun alone never decides.
"""

import json
from pathlib import Path

import lexicon
import phrases
from families import Family, Param, Say, Tool

WORDS = json.loads(Path(__file__).with_name("words.json").read_text())
VERBS = WORDS["verbs"]
THINGS = [w for group in WORDS["nouns"]["thing"] for w in group[:1]]
OBJECTS = [("entity", "small", ["object", "item", "what", "thing", "target"]), ("entity", "any", ["object", "what", "target", "which"]),
           ("entity", "package", ["item", "what"]), ("entity", "food", ["food", "what", "item"]), ("entity", "person", ["person", "who", "whom"]),
           ("entity", "plant", ["plant", "which"])]
TAILS = [None, None, None, None, ("duration", "for {q}", ["duration", "time", "for"]), ("length", "by {q}", ["distance", "by"]), ("ratio", "to {q}", ["level", "amount", "percent"]),
         ("integer", "{q} times", ["count", "times", "repeat"]), ("speed", "at {q}", ["speed", "pace"]), ("angle", "by {q}", ["angle"])]


SMALL = set("a an the to of in on or and by as if with from into one one's something someone make be have up out off it its that for at be more less become cause do get go give put take is some".split())


def _split(verb, noun):
    """`pick up` around its object."""
    head, _, particle = verb.partition(" ")
    return f"{verb} {noun} | {head} {noun} {particle}" if particle in ("up", "down", "off", "out", "in", "on", "away", "back", "over", "apart") else f"{verb} {noun}"


def _tool(group, noun, number, rng):
    verbs, gloss = group["verbs"], group["gloss"]
    name, line = rng.sample(verbs, 2)
    tool = Tool("meaning", f"t{number}", f"meaning {gloss}")
    tool.noun = noun
    fixed = noun is not None
    thing = f"the {noun}" if fixed else rng.choice(["an object", "something", "a thing"])
    tool.names = [name, name, f"{name} {noun}" if fixed else f"{name} object", f"{noun} {name}" if fixed else name]
    tool.does = [gloss, gloss, f"{line} {thing}", f"{line} {thing}", f"{line} {thing}: {gloss}", f"{gloss} ({line})"]
    said = [v for v in verbs if v != line] * 2 + verbs
    params = []
    if fixed:
        shown = f"[the|the|the|this|my|that|] {noun}"
    else:
        kind, detail, names = rng.choice(OBJECTS[:3] if rng.random() < 0.6 else OBJECTS)
        if detail == "person":
            tool.does = [gloss, f"{line} somebody", f"{line} a person", f"{line} someone: {gloss}"]
        params.append(Param("v", kind, detail, names=names))
        shown = "{v}"
    tail = rng.choice(TAILS)
    end = ""
    if tail is not None:
        params.append(Param("q", tail[0], optional=rng.random() < 0.5, names=tail[2]))
        end = " " + tail[1]
    tool.params = params
    lines = [alternative + end for verb in said for alternative in _split(verb, shown).split(" | ")]
    if tail is not None and params[-1].optional:
        lines += [alternative for verb in said for alternative in _split(verb, shown).split(" | ")]
    tool.says = [Say(tree, {}, True, phrases.slots_of(tree)) for tree in map(phrases.parse, lines)]
    return tool


def _near():
    """Per verb, every word that some set puts beside it: `raise` stands near `lift`, `elevate`, `get` ..."""
    near = {}
    for group in VERBS:
        words = {w for verb in group["verbs"] for w in verb.split()[:1]} | set(group["gloss"].split())
        for verb in group["verbs"]:
            near.setdefault(verb.split()[0], set()).update(words)
    return near


NEAR = _near()


def stranger(noun, words, rng):
    """A family of one tool that does to `noun` what none of `words` says, or None."""
    for group in rng.sample(VERBS, 4):
        said = {verb.split()[0] for verb in group["verbs"]}
        reach = set().union(said, *(NEAR[v] for v in said))
        if not (reach - SMALL) & words and not any(said & NEAR[w] for w in words & NEAR.keys()):
            out = Family("meaning " + noun, [[noun]])
            out.tools = [_tool(group, noun, 0, rng)]
            return out
    return None


def family(rng):
    """Two to seven tools, no two of which share a verb."""
    groups, taken = [], set()
    for group in rng.sample(VERBS, 12):
        words = {w.split()[0] for w in group["verbs"]}
        if not words & taken:
            groups.append(group)
            taken |= words
    groups = groups[:rng.randint(2, 7)]
    nouns = [rng.choice(THINGS) for _ in range(2)]
    open_object = rng.random() < 0.5
    out = Family("meaning " + nouns[0], [[nouns[0]]])
    out.tools = [_tool(group, None if open_object else rng.choice(nouns), i, rng) for i, group in enumerate(groups)]
    return out
