"""Tool lists: devices drawn at random, their tools named and described in one of many ways.

What a prompt shows of a tool is an `Instance`; the family it comes from stays hidden behind it, so
the same capability is seen under many names, descriptions, parameter names and options.
"""

import re
from dataclasses import dataclass, field

import invent
import lexicon
import phrases
from families import CROWDED

CONFLICTS = [{"power", "start"}, {"power", "stop2"}, {"opening", "open1"}, {"opening", "close1"}, {"place", "deliver"}, {"home", "dock"},
             {"wait", "pause"}, {"wait", "pause2"}, {"power", "growlight"}, {"stop", "abort"}, {"fetch", "pick"}, {"fetch", "deliver"}, {"say", "notify"}, {"pause", "stop"},
             {"clean", "wash"}, {"fetch", "place"}, {"fill", "brew"}, {"deliver", "transport"}, {"place", "transport"}, {"fetch", "transport"}]
KIN = {"arm", "errands", "service", "people", "robots", "carry", "fetchers", "homes", "contrasts", "chores", "steered", "subtle", "research", "broad", "hints",
       "camera", "cycar", "cycell", "cycounter", "cyflat", "drone", "smarthomehub", "speaker", "telephone"}      # files and families that do the same deeds with tools cut in other ways: one of them is in a list
FAVOURED = {"arm": 40, "base": 12, "greenhouse": 5, "lamp": 3, "service": 8, "errands": 10, "people": 5, "carry": 5, "fetchers": 5, "homes": 5, "contrasts": 5, "subtle": 5, "chores": 7, "waysteps": 20, "wayhalls": 20, "waymeet": 20, "steered": 7, "works": 5, "research": 8, "broad": 14, "hints": 8}   # families and files that most people try first
# Goals that leave out an argument are only fair if no sibling of the same device would take them as they are.
RIVALS = [{"level", "step", "rpm", "power", "temperature", "schedule", "start"}, {"opening", "openshare", "open1", "close1"},
          {"axisto", "axisby", "axisangle", "home"}, {"volume", "play"}]
EXTRAS = [". blocks until done", ". returns when finished", ". may take a while", ". safe to repeat", ". needs power"]
TALK = set("""greet greeting greetings hello welcome goodbye farewell bye thank thanks confirm confirmation confirmed agree yes accept decline reject deny cancel undo praise compliment thanked
complaint apologize apologise chat talk smalltalk conversation converse reply respond response feedback clarify clarification acknowledge joke jokes repeat again""".split())
TELL = set("tell tells telling say says ask asks inform informs message".split())
LEFT_OPEN = re.compile(r"\bif (?:\w+ ){1,4}(?:is|are)\b|\bif (?:said|told|named|given|any)|only if|\bwhen (?:\w+ ){0,3}(?:is|are)? ?(?:said|told|named|given)\b|left open|optional|(?:nobody|nothing|nothing else|no one) is (?:named|said)|named one or|or the one that|or what is nearest")
NO_VERBS = set("""a an the this that these those as to at in on for by with from no not never only one two each every what which how where when
i who after all more something somebody nothing everything neither relative absolute small short whole upper self fine straight polite repeated delayed recurring minimum highest first quick gentle plain personal
visual human robot body voice people person object temperature airflow window lamp radio oven base speech delivery errand feedback memory camera goal movement gripper wet cold x y z frost""".split())
NOUN = re.compile(r"(?:tion|ment|[aeiou].*ing)$")     # what ends so is no verb in its base form: `placing`, but `bring`
THIRD_IRREGULAR = {"be": "is", "have": "has", "do": "does", "go": "goes"}


@dataclass
class Slot:
    """One parameter as the prompt shows it."""

    spec: object
    name: str
    optional: bool
    options: list = field(default_factory=list)     # in manifest order
    original: list = field(default_factory=list)    # in the family's order
    kind: str = ""                                  # the type that the prompt shows
    surfaces: dict = field(default_factory=dict)    # the tool's: option name or index -> ways to say it
    alone: bool = False                             # in a broad tool: the only one of its kind that its deed has

    def index_of(self, wanted):
        """The option that a phrase's `name=wanted` fixes, or None where this option set has no such thing."""
        if not self.options:
            return None
        if isinstance(wanted, int):
            return self.original[wanted] if wanted < len(self.original) else None
        if self.spec.parallel and wanted not in self.original:
            return next((self.original[options.index(wanted)] for options in self.spec.option_sets if wanted in options), None)
        return wanted if wanted in self.original else None

    def ways(self, option):
        """How people say an option; of parallel sets, what is said for the first holds for all."""
        surfaces, at = self.surfaces, self.original.index(option)
        return surfaces.get(option) or surfaces.get(str(at)) or (self.spec.parallel and surfaces.get(self.spec.option_sets[0][at])) or [option]

    @property
    def shown_type(self):
        return "/".join(self.options) if self.options else self.kind


@dataclass
class Gadget:
    """A device in the list: its noun, the words people use for it."""

    family: object
    noun: str
    words: list
    instances: list = field(default_factory=list)


@dataclass
class Instance:
    tool: object
    gadget: Gadget
    name: str
    does: str
    slots: list

    def line(self):
        """The tool as the prompt's text runs: head, then one per parameter."""
        return f" {self.name}: {self.does}", [f" {s.name}{'?' if s.optional else ''} {s.shown_type}" for s in self.slots]


def kin(family):
    return family.file in KIN or family.name in KIN


def third_person(text):
    verb, _, rest = text.partition(" ")
    if not verb.isalpha() or verb in NO_VERBS or NOUN.search(verb) or (verb.endswith("s") and not verb.endswith("ss")):
        return text      # begins with no verb, or with one that has its ending
    if verb in THIRD_IRREGULAR:
        form = THIRD_IRREGULAR[verb]
    elif verb.endswith(("s", "sh", "ch", "x", "z")):
        form = verb + "es"
    elif verb.endswith("y") and verb[-2] not in "aeiou":
        form = verb[:-1] + "ies"
    else:
        form = verb + "s"
    return f"{form} {rest}"


def gerund(text):
    """`text` with its first word as a gerund."""
    verb, space, rest = text.partition(" ")
    if verb.endswith("ie"):
        form = verb[:-2] + "ying"
    elif verb.endswith("e") and not verb.endswith(("ee", "oe", "ye")):
        form = verb[:-1] + "ing"
    elif len(verb) <= 4 and len(verb) >= 3 and verb[-1] in "tpnbgmd" and verb[-2] in "aeiou" and verb[-3] not in "aeiou" and verb not in ("open", "want"):
        form = verb + verb[-1] + "ing"
    else:
        form = verb + "ing"
    return form + space + rest


def describe(text, noun, rng):
    text = text.replace("$n", noun)
    roll = rng.random()
    if roll < 0.4:
        text = third_person(text)
    elif roll < 0.46:
        text = rng.choice(["use this to ", "used to ", "lets you ", "a command to ", "can "]) + text
    if rng.random() < 0.06:
        text += rng.choice(EXTRAS)
    return text + ("." if rng.random() < 0.1 else "")


def _slot(tool, param, rng, written=False):
    name = param.name if rng.random() < 0.45 and len(param.name) > 1 else rng.choice(param.names)
    if rng.random() < 0.03 and not written:
        name = rng.choice(["value", "arg", "x", "p1", "input", lexicon.madeup(rng)])
    broad = sum(p.optional for p in tool.params) > 2      # what others say only now and then must stay open
    optional = param.optional if rng.random() < 0.85 or written or broad else not param.optional
    slot = Slot(param, name, optional, kind=param.type, surfaces=tool.surfaces)
    if param.type in ("entity", "place") and rng.random() < 0.45:
        slot.kind = "text"      # tools of other programs know strings only
    if param.option_sets:
        weights = [3] + [1] * (len(param.option_sets) - 1) if len(param.option_sets) < 6 else None
        slot.original = rng.choices(param.option_sets, weights)[0]
        slot.options = list(slot.original)
        if rng.random() < 0.25:
            rng.shuffle(slot.options)
    return slot


def could_hold(slot, other):
    """Whether what is said for one parameter could be read as said for the other."""
    kinds = {slot.kind, other.kind}
    return not slot.options and not other.options and (len(kinds) == 1 or kinds in ({"text", "entity"}, {"text", "place"}, {"integer", "number"}))


def _spoken(tool, param):
    """Whether people say the option of an enumeration in most goals, so that it could be a text."""
    ways = sum(len(say.tree.options) for say in tool.says)
    return param.type == "enum" and bool(ways) and sum(len(say.tree.options) for say in tool.says if param.name in say.fixed) < ways / 3


def instance(tool, gadget, rng, written=False):
    roll = 0 if written else rng.random()
    if roll < 0.86:
        name = rng.choice(tool.names[:2] if rng.random() < 0.3 else tool.names).replace("$n", gadget.noun)
    elif roll < 0.94:
        name = lexicon.madeup(rng) if rng.random() < 0.6 else lexicon.madeup(rng) + " " + lexicon.madeup(rng)
    else:
        name = rng.choice(["function", "action", "command", "tool", "fn", "op", "skill", "cmd"]) + " " + rng.choice(["1", "2", "3", "4", "5", "6", "a", "b", "c", "d", "x", "y"])
    slots = [_slot(tool, p, rng, written) for p in tool.params]
    alike = any(could_hold(a, b) for n, a in enumerate(slots) for b in slots[:n])
    nameless = alike and any(s.name not in (s.spec.name, *s.spec.names) for s in slots)      # then only the usual order tells which is which
    shuffled = len(slots) > 1 and rng.random() < 0.2 and not nameless
    if shuffled:
        rng.shuffle(slots)
    if len(slots) > 1 and tool.cap == "place" and rng.random() < 0.25:
        slots = [s for s in slots if s.spec.type == "place"]
    if rng.random() < 0.06 and not written and not (shuffled and alike):
        word = rng.choice(["argument", "parameter", "value", "arg", "input", "p"])
        for k, slot in enumerate(slots):
            slot.name = f"{word} {k + 1}"
    for slot in slots:
        if slot.options and not written and rng.random() < 0.15 and _spoken(tool, slot.spec):
            slot.options, slot.kind = [], "text"      # what is said stands for itself: tools of other programs know strings only
    does = rng.choice(tool.does)
    if LEFT_OPEN.search(does):
        for slot in slots:
            slot.optional = slot.spec.optional      # the description says so
    does = describe(does, gadget.noun, rng)
    return Instance(tool, gadget, name, does, slots)


def _verbs(tool):
    """The words that people begin with when they want the tool."""
    openings = [text.split(" ")[0] for say in tool.says if say.imperative for text in phrases.openings(say.tree)]
    return sorted({word for word in openings if word.isalpha() and len(word) > 1})


class Toolbox:
    """One prompt's tools, in order, and the devices that they belong to."""

    def __init__(self, families, rng, size=None, written=False):
        self.written = written
        self.families = families
        self.rng = rng
        self.gadgets = []
        self.tools = []
        size = size or self._size()
        attempts = 0
        while len(self.tools) < size and attempts < 30:
            attempts += 1
            self._add(size - len(self.tools))
        self._name_apart()
        if rng.random() < 0.6:
            rng.shuffle(self.tools)
        words = {word.strip(".,:") for t in self.tools for word in t.line()[0].split()}
        self.talks, self.tells = bool(words & TALK), bool(words & TELL)     # whether what is said in passing may be a goal, and "tell the robot to"
        self.caps = {}
        for t in self.tools:
            self.caps.setdefault(t.tool.cap, []).append(t)

    def _size(self):
        roll = self.rng.random()
        if roll < 0.08:
            return self.rng.randint(1, 2)
        return self.rng.randint(3, 8) if roll < 0.35 else self.rng.randint(9, 16)

    def _add(self, room):
        rng = self.rng
        wide = [f for f in self.families if len(f.devices) > 15]
        narrow = [f for f in self.families if len(f.devices) <= 15]
        if wide and not self.written and rng.random() < 0.2:
            return self._add_invented(room)
        from_wide = narrow == [] or (wide and rng.random() < 0.17)
        family = rng.choice(wide) if from_wide else rng.choices(narrow, [FAVOURED.get(f.name) or FAVOURED.get(f.file, 2) for f in narrow])[0]
        words = rng.choice(family.devices)
        known = words
        if family in wide and not self.written and rng.random() < 0.22:
            words = [self._particular(rng.choice(words))]
        taken = {w for g in self.gadgets for w in g.words}
        if taken & set(words) or any(t.split()[-1] == w.split()[-1] for t in taken for w in words):
            return
        many = [f for f in wide if known in f.devices] if family in wide else [family]
        gadget = Gadget(family, rng.choice(words), words)
        pool = [t for f in many for t in f.tools]
        if family in narrow and (self._has_kin(family) or family.name in {g.family.name for g in self.gadgets} and rng.random() < 0.8):
            return
        fewest, most = (6, 14) if family.file in CROWDED else (2, 11)
        keep = min(room, rng.choice([1, 1, 2, 3]) if family in wide else rng.randint(fewest, most))
        if family in wide:
            rng.shuffle(pool)
        else:
            chosen = set(rng.sample(range(len(pool)), min(keep, len(pool))))
            if family.combos and rng.random() < 0.6:     # whole set pieces, so that what takes two calls is met as two calls
                steps = {step for step, _ in rng.choice(family.combos).steps}
                chosen = {i for i, t in enumerate(pool) if t.id in steps} | set(list(chosen)[:max(0, keep - len(steps))])
            pool = [t for i, t in enumerate(pool) if i in chosen]
        for tool in pool[:keep]:
            mine = {t.tool.cap for t in gadget.instances}
            all_ = {t.tool.cap for t in self.tools}
            scope = mine if family in wide else all_ | mine
            if tool.cap in mine or any(tool.cap in c and (c - {tool.cap}) & scope for c in CONFLICTS):
                continue
            gadget.instances.append(instance(tool, gadget, rng, self.written))
        if gadget.instances:
            if not self.written:
                self._misname(gadget.instances)
            self._rename_twins(gadget.instances)
            self.gadgets.append(gadget)
            self.tools += gadget.instances

    def _rename_twins(self, tools):
        """One device has no two tools of a name."""
        for tool in tools:
            others = {t.name for t in tools if t is not tool}
            free = [name for name in tool.tool.names if name not in others and "$n" not in name]
            if tool.name in others and free:
                tool.name = self.rng.choice(free)

    def _misname(self, tools):
        """Names that lie: one in twenty is what people say for a sibling (`move` for what turns a joint, beside `go to`), so that the description has the last word."""
        rng = self.rng
        if len(tools) < 2 or rng.random() > 0.18:
            return
        for tool in tools:
            if rng.random() < 0.3:
                sibling = rng.choice([t for t in tools if t is not tool])
                verbs = _verbs(sibling.tool)
                if rng.random() < 0.25:
                    tool.name, sibling.name = sibling.name, tool.name
                elif verbs:
                    tool.name = rng.choice(verbs)

    def _has_kin(self, family):
        others = {g.family.name: g.family for g in self.gadgets}
        return family.name not in others and kin(family) and any(kin(other) and {name, family.name} != {"arm", "base"} for name, other in others.items())

    def _particular(self, noun):
        """One device among several of its kind, or one with a name of its own."""
        rng = self.rng
        roll = rng.random()
        if roll < 0.4:
            return f"{noun} {lexicon.label(rng)}"
        if roll < 0.75:
            return f"{rng.choice(lexicon.COLORS + ['left', 'right', 'upper', 'lower', 'main', 'small', 'big', 'old', 'new', 'first', 'second', 'front', 'rear', 'spare'])} {noun}"
        return lexicon.madeup(rng)

    def _add_invented(self, room):
        rng = self.rng
        family = invent.family(rng)
        gadget = Gadget(family, family.devices[0][0], family.devices[0])
        gadget.instances = [instance(t, gadget, rng) for t in family.tools[:room]]
        if gadget.instances:
            self.gadgets.append(gadget)
            self.tools += gadget.instances

    def _name_apart(self):
        """Tools of the same name get their device in front, as the format says; and those that mean the same, since a goal names the device of such."""
        names, caps = [t.name for t in self.tools], [t.tool.cap for t in self.tools]
        for t in self.tools:
            if names.count(t.name) > 1 or caps.count(t.tool.cap) > 1 or (len(self.gadgets) > 1 and self.rng.random() < 0.04):
                t.name = f"{t.gadget.noun} {t.name}"

    def rivals(self, inst):
        """Whether a sibling would understand the goal when `inst` misses an argument."""
        mine = {t.tool.cap for t in inst.gadget.instances} - {inst.tool.cap}
        return any(inst.tool.cap in group and mine & group for group in RIVALS)

    def ambiguous(self, inst):
        return len(self.caps[inst.tool.cap]) > 1
