"""Reads the families: which tools devices have, how the tools are described and how people ask for them.

The content stands in `families/*.txt` (training) and `heldout/*.txt` (never trained on, for evaluation);
this file only knows their syntax, which `families/arm.txt` shows in full.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

import phrases

HERE = Path(__file__).parent
CROWDED = {"contrasts", "subtle", "chores", "steered", "works", "research", "broad", "hints"}     # files whose tools are siblings that only their descriptions tell apart: seen together, with what belongs to each
SPEAKER = {"me", "us", "myself", "ourselves"}


@dataclass
class Param:
    name: str
    type: str
    detail: str = ""              # a class of entity, place or text
    low: float | None = None
    high: float | None = None
    optional: bool = False
    option_sets: list = field(default_factory=list)
    names: list = field(default_factory=list)
    like: list = field(default_factory=list)       # what people name there: `the spruce log`, `on the top shelf`
    likely: float = 0.6                            # the share of values that come from there; the others are drawn at random, so that copying is learned
    parallel: bool = False                         # whether the option sets name the same options in the same order
    open: bool = True                              # a text that runs on: words behind it would be read as its own
    speaker: bool = True                           # whether the one who speaks may be meant, where people are


@dataclass
class Say:
    tree: phrases.Choice
    fixed: dict                   # parameter -> option name or index that the wording itself states
    imperative: bool
    slots: set


@dataclass
class Tool:
    family: str
    id: str
    cap: str
    names: list = field(default_factory=list)
    does: list = field(default_factory=list)
    params: list = field(default_factory=list)
    says: list = field(default_factory=list)
    more: phrases.Choice | None = None
    surfaces: dict = field(default_factory=dict)   # option name or index -> ways to say it
    noun: str | None = None                        # what a composed tool works on

    def param(self, name):
        return next(p for p in self.params if p.name == name)


@dataclass
class Combo:
    steps: list                   # (tool id, {parameter: variable})
    says: list


@dataclass
class Family:
    name: str
    devices: list                 # groups of synonyms
    file: str = ""                # families of one file are kin: their tools may mean the same
    tools: list = field(default_factory=list)
    combos: list = field(default_factory=list)
    nots: phrases.Choice | None = None             # what people say beside the device that none of its tools is for

    def tool(self, tool_id):
        return next((t for t in self.tools if t.id == tool_id), None)


def load(folder):
    """All families of one folder, in file order."""
    families = []
    for path in sorted((HERE / folder).glob("*.txt")):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            line = line.strip()
            if line and not line.startswith("#"):
                try:
                    _line(line, families, path.stem)
                except Exception as error:
                    raise ValueError(f"{path.name}:{number}: {error}: {line}") from error
    for family in families:
        for combo in family.combos:
            _check(combo, family)
        if family.file in CROWDED:
            for param in (param for tool in family.tools for param in tool.params):
                param.parallel = len(set(map(len, param.option_sets))) == 1
                param.open = param.detail in ("speech", "topic")
                # Any other value could be of another kind, and the kind decides.
                param.likely = 1.0 if param.type == "text" and not param.open else 0.9
                param.speaker = not param.like or not SPEAKER.isdisjoint(param.like)
    return families


def _check(combo, family):
    """Every argument of a combo is said, or fixed as `!option` of a tool that has it."""
    said = {name.lstrip("~") for say in combo.says for name in say.slots}
    for step, arguments in combo.steps:
        tool = family.tool(step)
        if tool is None:
            raise ValueError(f"{family.name}: a combo of {step}, which is no tool")
        for name, variable in arguments.items():
            plain = variable.rpartition(":")[2]
            if plain.startswith("!"):
                options = {option for options in tool.param(name).option_sets for option in options}
                if plain[1:] not in options and not plain[1:].isdigit():
                    raise ValueError(f"{family.name}: {step}({name}={variable}): no such option")
            elif plain.lstrip("~") not in said:
                raise ValueError(f"{family.name}: {step}({name}={variable}) is never said; an option that the words state is written `!option`")


def _line(line, families, file):
    word, _, rest = line.partition(" ")
    family = families[-1] if families else None
    tool = family.tools[-1] if family and family.tools else None
    if word == "family":
        families.append(Family(rest, [], file))
    elif word == "device":
        family.devices = [group.split("=") for group in _list(rest)]
    elif word == "not":
        family.nots = phrases.parse(rest)
    elif word == "tool":
        name, _, cap = rest.partition(" cap=")
        family.tools.append(Tool(family.name, name, cap or name))
    elif word == "names":
        tool.names = _list(rest)
    elif word == "does":
        tool.does = _list(rest)
    elif word == "param":
        tool.params.append(_param(rest))
    elif word == "like":
        tool.params[-1].like += _list(rest)
    elif word == "as":
        option, _, ways = rest.partition(":")
        tool.surfaces[option] = _list(ways)
    elif word == "more":
        tool.more = phrases.parse(rest)
    elif word == "combo":
        family.combos.append(Combo(_steps(rest), []))
    elif word in ("say", "say~"):
        owner = family.combos[-1] if family.combos else tool
        owner.says.append(_say(rest, word == "say", tool if owner is tool else None))
    else:
        raise ValueError("unknown word")


def _list(text):
    return [part.strip() for part in text.split(";") if part.strip()]


def _param(text):
    head, _, names = text.partition(" | ")
    name, _, kind = head.partition(": ")
    type_, *details = kind.split(" ", 1)
    param = Param(name.rstrip("?"), type_, optional=name.endswith("?"), names=_list(names) or [name.rstrip("?")])
    if type_ == "enum":
        param.option_sets = [options.split("/") for options in _list(details[0])]
    elif details and type_ in ("entity", "place", "text"):
        param.detail = details[0]
    elif details:
        param.low, param.high = map(float, details[0].split())
    return param


def _say(text, imperative, tool):
    fixed = {}
    match = re.match(r"^(\w+=[\w ]+(?:, \w+=[\w ]+)*): ", text)
    if match and tool:
        for pair in match[1].split(", "):
            name, _, option = pair.partition("=")
            fixed[name] = int(option) if option.isdigit() else option
        text = text[match.end():]
    if re.search(r"\| *\w+=[\w ]+: ", text):
        raise ValueError("what fixes an option stands at the beginning of a line")
    tree = phrases.parse(text)
    slots = phrases.slots_of(tree)
    if tool:
        unknown = (slots | set(fixed)) - {p.name for p in tool.params}
        if unknown:
            raise ValueError(f"no parameter {unknown}")
    return Say(tree, fixed, imperative, slots)


def _steps(text):
    steps = []
    for tool, arguments in re.findall(r"(\w+)\(([^)]*)\)", text):
        pairs = [part.strip().split("=") for part in arguments.split(",") if part.strip()]
        steps.append((tool, {name: value for name, value in pairs}))
    return steps
