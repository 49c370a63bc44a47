"""Tools as others cut them: one for all that a device can do, and parameters that nobody speaks of.

Home hubs and robot kits often have one `light` with a state, a level and a colour, all of them optional, where the families have a tool
for each. What such a tool is asked for leaves most of its parameters open, so an option is chosen only where the goal says so. Both are
made here of lists and goals that are drawn already.
"""

import re
from dataclasses import replace
from types import SimpleNamespace

from families import CROWDED
from toolbox import Slot, could_hold

ASK, SKIP = "<ask>", "<skip>"
SHARE = 0.2                  # of the lists, how many have a broad tool
WITH_EXTRAS = 0.25           # and how many have parameters that nobody speaks of
DEEDS_MAX, SLOTS_MAX = 6, 8
NAMES = ["$n", "$n", "$n control", "control $n", "$n command", "use $n", "$n action", "operate $n"]
ACTIONS = ["action", "action", "do", "command", "what", "operation", "task", "deed", "function", "request"]
DOES = ["control the $n", "controls the $n", "operate the $n", "all commands of the $n", "use the $n", "give the $n a command", "handles the $n", "the $n"]
# Parameters that go with almost any deed, and what a goal says that could be meant for them.
EXTRAS = [("speed", "slow/normal/fast", "slow|fast|quick|normal|hurry|speed|gent|careful|rush|pace"), ("hand", "left/right", "left|right|hand"),
          ("arm", "left/right/both", "left|right|arm|both"), ("language", "english/german/french", "english|german|french|language|spanish"),
          ("priority", "low/normal/high", "urgen|prior|import|hurry|asap|quick|now|immediate|first|low|high|normal"),
          ("volume", "quiet/normal/loud", "quiet|loud|silen|volume|soft|whisper|shout|normal"), ("units", "metric/imperial", "metric|imperial|unit|yard|feet|foot|ft|inch|pound|lb|mile|met|cm|mm|kg|gram|kilo|degree|fahrenheit|celsius"),
          ("mode", "eco/comfort/boost", "eco|comfort|boost|sav|mode"), ("repeat", "once/daily/weekly", "once|every|daily|week|again|twice|repeat|day|times|morning|evening"),
          ("change", "brighter/darker", "bright|dark|dim|light|lamp"), ("change", "up/down", "up|down|rais|lower|increas|decreas|higher|more|less|turn|louder|quiet|lift|drop|sink|climb"),
          ("change", "increase/decrease", "up|down|rais|lower|increas|decreas|higher|more|less|turn|louder|quiet|warm|cool|hot|cold"),
          ("confirm", "yes/no", "confirm|yes|sure|ask"), ("colour", "red/green/blue/white", "red|green|blue|white|colou?r"), ("size", "small/medium/large", "small|medium|large|big|little|tiny|huge"),
          ("gently", "true/false", "gent|soft|careful|rough|true|false|slow|tender"), ("side", "front/back", "front|back|side|behind|rear"), ("scope", "all/one", "all|every|one|both|each|whole"),
          ("voice", "male/female", "male|voice|man|woman"), ("when", "now/later", "now|later|soon|when|after|before|immediate|wait"), ("kind", "play/pause/next", "play|pause|next|music|song|stop"),
          ("query", "status/history", "status|histor|state|what|how|is |are |when|tell")]

SAYS = [", {name} {option}", " with {name} {option}", ", {option} {name}", " with {option} {name}", ", and {name} {option} please", ", {name} is {option}", ", set {name} to {option}"]


def broaden(tools, gadgets, segments, rng):
    """The same list and goals, some of the tools put together or with more parameters; goals whose plans would no longer be decided are left out."""
    if rng.random() < SHARE:
        owners = [g for g in gadgets if sum(t in tools for t in g.instances) > 1]
        if owners:
            tools, segments = _fuse(tools, rng.choice(owners), segments, rng)
    if rng.random() < WITH_EXTRAS:
        tools, segments = _extend(tools, segments, rng)
    return tools, segments


def _fuse(tools, gadget, segments, rng):
    chosen = []
    for tool in rng.sample(gadget.instances, min(len(gadget.instances), rng.randint(2, DEEDS_MAX))):
        nameless = any(re.search(r" \d$|^(value|arg|x|p1|input|argument)$", slot.name) for slot in tool.slots)      # their order says which is which
        if tool in tools and not nameless and sum(len(t.slots) for t in [*chosen, tool]) <= SLOTS_MAX:
            chosen.append(tool)
    if len(chosen) < 2:
        return tools, segments
    group = [t for t in gadget.instances if t in chosen]
    deeds = _deeds(group, rng)
    by_action = rng.random() < 0.7 or not _speak_for_themselves(group)
    slots, places = [], []                       # of each tool, where its parameters are in the broad one
    if by_action:
        action = Slot(None, rng.choice(ACTIONS), rng.random() < 0.25, deeds, deeds, "enum")
        if rng.random() < 0.3:
            action.options = rng.sample(deeds, len(deeds))
        slots.append(action)
    for tool, deed in zip(group, deeds):
        places.append([_place(slot, deed, tool, slots, rng) for slot in tool.slots])
    for number, slot in enumerate(slots):
        owners = [tool.slots[at.index(number)] for tool, at in zip(group, places) if number in at]
        if owners:
            slot.optional = len(owners) < len(group) or any(s.optional for s in owners)
    name = rng.choice(NAMES).replace("$n", gadget.noun)
    broad = _shown(name, f" {name}: {_does(group, deeds, gadget, by_action, rng)}", slots)
    kept = [t for t in tools if t not in group]
    kept.insert(rng.randint(0, len(kept)), broad)

    def moved(goal):
        calls = []
        for index, arguments in goal.calls:
            tool = tools[index]
            if tool not in group:
                calls.append((kept.index(tool), arguments))
                continue
            at = group.index(tool)
            filled = {0: deeds[at]} if by_action else {}
            filled |= dict(zip(places[at], arguments))
            if ASK in arguments and slots[places[at][arguments.index(ASK)]].optional:
                return None
            row = [filled.get(k, SKIP) for k in range(len(slots))]
            calls.append((kept.index(broad), row[:row.index(ASK) + 1] if ASK in row else row))
        return replace(goal, calls=calls)

    return kept, _changed(segments, moved)


def _changed(segments, moved):
    out = []
    for segment in segments:
        goal, example = moved(segment.goal), segment.example and moved(segment.example)
        if goal is not None:
            out.append(replace(segment, goal=goal, example=example))
    return out


def _deeds(group, rng):
    """What the broad tool calls each of its deeds."""
    deeds = []
    for tool in group:
        names = [n for n in tool.tool.names if "$n" not in n and n not in deeds] or [tool.name]
        short = [n for n in names if " " not in n]
        deed = rng.choice(short if short and rng.random() < 0.6 else names)
        while deed in deeds:
            deed += " it"
        deeds.append(deed)
    return deeds


def _speak_for_themselves(group):
    """Whether what is said of each deed's own parameters tells which deed is meant."""
    names = [slot.name for tool in group for slot in tool.slots]
    return all(any(not slot.optional for slot in tool.slots) for tool in group) and len(set(names)) == len(names)


def _place(slot, deed, tool, slots, rng):
    """Where the broad tool has this parameter: shared with that of another deed if they are the same, or the only thing that each deed is done to."""
    for number, other in enumerate(slots):
        if other.name == slot.name and (other.kind, other.options) == (slot.kind, slot.options):
            return number
    alike = [k for k, other in enumerate(slots) if slot.kind == other.kind and other.kind in ("entity", "place", "text")]
    alone = sum(s.kind == slot.kind for s in tool.slots) == 1
    if len(alike) == 1 and alone and slot.kind != "text" and slots[alike[0]].alone and rng.random() < 0.6:
        if slot.kind == "entity":
            slots[alike[0]].name = rng.choice(["object", "what", "target", "thing", "item"])
        return alike[0]
    taken = any(other.name == slot.name or could_hold(other, slot) for other in slots)      # then the deed's name says whose it is
    slots.append(replace(slot, name=f"{deed} {slot.name}" if taken else slot.name, alone=alone))
    return len(slots) - 1


def _does(group, deeds, gadget, by_action, rng):
    subtle = gadget.family.file in CROWDED
    if gadget.family.file and not subtle and rng.random() < 0.4:      # who made its tools at random put them to several things
        return rng.choice(DOES).replace("$n", gadget.noun)
    does = [tool.does.split(". ")[0].rstrip(".") for tool in group]
    if by_action and (subtle or rng.random() < 0.6):
        return "; ".join(f"{deed}: {text}" for deed, text in zip(deeds, does))
    return "; ".join(does)


def _extend(tools, segments, rng):
    """Parameters that no goal of the list speaks of, but those that say so at their end."""
    said = " ".join(goal.text for s in segments for goal in (s.goal, s.example) if goal)
    silent = [extra for extra in EXTRAS if not re.search(extra[2], said)]
    if not silent:
        return tools, segments
    added = {}                       # tool -> where its further parameters are
    for index, tool in enumerate(tools):
        if rng.random() < 0.3:
            names = {s.name for s in tool.slots}
            extras = [e for e in rng.sample(silent, min(len(silent), rng.choice([1, 1, 2]))) if e[0] not in names]
            slots, at = list(tool.slots), []
            for name, options, _ in {e[0]: e for e in extras}.values():
                place = rng.randint(0, len(slots)) if rng.random() < 0.3 else len(slots)
                slots.insert(place, Slot(None, name, True, options.split("/"), options.split("/"), "enum"))
                at = [p + (p >= place) for p in at] + [place]
            if at:
                added[index] = at
                tools = tools[:index] + [_shown(tool.name, tool.line()[0], slots)] + tools[index + 1:]

    def filled(goal):
        calls, text = [], goal.text
        for index, arguments in goal.calls:
            if index in added:
                size, rest = len(tools[index].slots), iter(arguments)
                row = []
                for place in range(size):
                    if place in added[index]:
                        row.append(SKIP)
                        continue
                    row.append(next(rest))
                    if row[-1] == ASK:
                        break
                arguments = row
                spoken = any(slot.kind == "text" for slot in tools[index].slots)      # what is added could be read as a part of it
                if len(goal.calls) == 1 and ASK not in row and not spoken and rng.random() < 0.3:
                    place = rng.choice(added[index])
                    slot = tools[index].slots[place]
                    row[place] = rng.choice(slot.options)
                    text = goal.text.rstrip(".!?") + rng.choice(SAYS).format(name=slot.name, option=row[place])
            calls.append((index, arguments))
        return replace(goal, text=text, calls=calls)

    return tools, _changed(segments, filled)


def _shown(name, head, slots):
    """A tool as the prompt shows it."""
    return SimpleNamespace(name=name, slots=slots, line=lambda: (head, [f" {s.name}{'?' if s.optional else ''} {s.shown_type}" for s in slots]))
