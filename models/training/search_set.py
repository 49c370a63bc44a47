"""A set for the kernel's tool search: one long list of tools and goals with the tools that they need.

    python search_set.py        # writes ../../runtime/kernel/tests/search/{tools,goals}.tsv

Every written family is there with a device or a few, the families kept out of training among them, and so are the tool
lists of the hand-written goals. Names and descriptions are the families' first ones, so that no name lies. A goal belongs
to the half of its family: `develop` may be looked at while the search is made, `heldout` and `written` may not.
The files that are checked in were drawn from the first 31 families and the hand-written goals of that time, so that figures stay
comparable; drawing anew gives another, larger set.
"""

import json
import random
import zlib
from pathlib import Path

import generate
import phrases
from compose import Composer, Context
from toolbox import Gadget, Instance, Slot

FOLDER = Path(__file__).parents[2] / "runtime" / "kernel" / "tests" / "search"
HAND = Path(__file__).with_name("handwritten")
DEVICES_OF_A_WIDE_FAMILY = 3
GOALS_OF_A_TOOL = 3


class Box:
    """All gadgets at once, as far as a composer asks."""

    def __init__(self, gadgets):
        self.gadgets = gadgets
        self.tools = [t for g in gadgets for t in g.instances]
        self.caps = {}
        for t in self.tools:
            self.caps.setdefault(t.tool.cap, []).append(t)

    def rivals(self, inst):
        return True

    def ambiguous(self, inst):
        return len(self.caps[inst.tool.cap]) > 1


def slot(param):
    options = param.option_sets[0] if param.option_sets else []
    return Slot(param, param.name if len(param.name) > 1 else param.names[0], param.optional, list(options), list(options), param.type)


def gadget(family, words):
    made = Gadget(family, words[0], words)
    for tool in family.tools:
        name, does = (text.replace("$n", made.noun) for text in (tool.names[0], tool.does[0]))
        made.instances.append(Instance(tool, made, name, does, [slot(p) for p in tool.params]))
    return made


def gadgets(rng):
    taken, out = set(), []
    families = generate.TRAIN + generate.HELDOUT
    for family in sorted(families, key=lambda f: len(f.devices) > 15):
        free = [d for d in family.devices if not taken & {w.split()[-1] for w in d}]
        count = DEVICES_OF_A_WIDE_FAMILY if len(family.devices) > 15 else 1
        for words in (rng.sample(free, min(count, len(free))) if count > 1 else free[:1] or family.devices[:1]):
            taken |= {w.split()[-1] for w in words}
            out.append(gadget(family, words))
    return out


def half(family):
    if family in generate.HELDOUT:
        return "heldout"
    return "develop" if zlib.crc32(family.name.encode()) % 2 else "heldout"


def goals(box, rng):
    seen = set()
    for index, inst in enumerate(box.tools):
        for _ in range(GOALS_OF_A_TOOL):
            composer = Composer(box, rng, [])
            clause = composer.call(inst, Context(), allow_ask=False)
            if clause is None:
                continue
            needs = [index]
            if rng.random() < 0.2:
                other = rng.randrange(len(box.tools))
                more = composer.call(box.tools[other], Context(), allow_ask=False)
                if more is not None and half(box.tools[other].gadget.family) == half(inst.gadget.family):
                    clause = composer.join([clause, more])
                    needs.append(other)
            text = composer.finish(composer.wrap(clause), "plan").text
            if text not in seen:
                seen.add(text)
                yield half(inst.gadget.family), needs, text


def written(first):
    """The hand-written lists and goals; their tools come behind the others."""
    tools, found = [], []
    for path in ("dev.jsonl", "demo.jsonl"):
        base, names = 0, []
        for number, line in enumerate((HAND / path).read_text().splitlines()):
            entry = json.loads(line)
            if "tools" in entry:
                base, names = first + len(tools), []
                for text in entry["tools"]:
                    head, *params = [p.strip() for p in text.split("|")]
                    name, does = head.split(":", 1)
                    names.append(name)
                    tools.append(("", name, does.strip(), [p.rsplit(" ", 1) for p in params]))
            elif entry["calls"]:
                found.append(("written", [base + names.index(c[0]) for c in entry["calls"]], entry["goal"]))
    return tools, found


def main():
    rng = random.Random(20)
    box = Box(gadgets(rng))
    lines = [(t.gadget.noun, t.name, t.does, [(s.name, s.shown_type) for s in t.slots]) for t in box.tools]
    found = list(goals(box, rng))
    more, hand = written(len(lines))
    lines += more
    found += hand
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "tools.tsv").write_text("".join("\t".join([d, n, w, ", ".join(f"{a} {b}" for a, b in p)]) + "\n" for d, n, w, p in lines))
    (FOLDER / "goals.tsv").write_text("".join(f"{part}\t{','.join(map(str, dict.fromkeys(needs)))}\t{text}\n" for part, needs, text in found))
    counts = {part: sum(f[0] == part for f in found) for part in ("develop", "heldout", "written")}
    print(len(lines), "tools,", counts)


if __name__ == "__main__":
    main()
