"""The hand-written goals through the program itself: `llmos plan --json --tools --goals`, as a user would.

    python through.py handwritten/unseen.jsonl [path of llmos]

Entities, places and texts become strings, quantities numbers with an `x-unit`, options an enum: what tools of other programs
look like. A call is right if its tool is, and each argument: texts by their words without a leading article, options by their
name, numbers by being there (their values are the goal reader's work, which has its own tests).
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

UNITS = {"length": "m", "angle": "deg", "duration": "s", "speed": "m/s", "temperature": "celsius", "ratio": "percent", "volume": "l", "mass": "kg"}


def schema(text):
    """One tool line of a hand-written set as an OpenAI tool, and its parameters' names."""
    head, *params = [p.strip() for p in text.split("|")]
    name, does = head.split(":", 1)
    properties, required = {}, []
    for p in params:
        label, kind = p.rsplit(" ", 1)
        key = label.rstrip("?").replace(" ", "_")
        if "/" in kind:
            properties[key] = {"type": "string", "enum": kind.split("/")}
        elif kind in UNITS:
            properties[key] = {"type": "number", "x-unit": UNITS[kind]}
        else:
            properties[key] = {"type": kind if kind in ("integer", "number") else "string"}
        if not label.endswith("?"):
            required.append(key)
    parameters = {"type": "object", "properties": properties, "required": required}
    return {"type": "function", "function": {"name": name.replace(" ", "_"), "description": does.strip(), "parameters": parameters}}, list(properties)


def bare(text):
    return re.sub(r"^(the|a|an) ", "", str(text).lower())


def right(call, wanted, names):
    """Whether a call of the program is the one of the set."""
    name, *arguments = wanted
    if call["name"] != name.replace(" ", "_"):
        return False
    for key, value in zip(names[name], arguments):
        found = call["arguments"].get(key)
        if value in ("<skip>", "<ask>"):
            if found is not None:
                return False
        elif isinstance(found, (int, float)):
            continue
        elif found is None or bare(found) != bare(value):
            return False
    return True


def run(tools, goals, program):
    """The program's answers, one a goal."""
    with tempfile.TemporaryDirectory() as folder:
        listed, said = Path(folder) / "tools.json", Path(folder) / "goals.txt"
        listed.write_text(json.dumps(tools))
        said.write_text("".join(g["goal"] + "\n" for g in goals))
        done = subprocess.run([program, "plan", "--json", "--tools", listed, "--goals", said], capture_output=True, text=True, cwd=folder, env=os.environ | {"HOME": folder, "XDG_DATA_HOME": folder})
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        assert len(answers) == len(goals), (len(answers), len(goals), done.stderr[-400:])
        return answers


def main(path, program="llmos", errors=None):
    sets, total = [], dict(goals=0, exact=0, single=0, single_exact=0, tool=0, calls=0, none=0, false=0, ask=0, asked=0)
    for line in Path(path).read_text().splitlines():
        entry = json.loads(line)
        sets.append((entry["tools"], [])) if "tools" in entry else sets[-1][1].append(entry)
    for lines, goals in sets:
        made = [schema(line) for line in lines]
        names = {line.split(":")[0]: keys for line, (_, keys) in zip(lines, made)}
        for goal, answer in zip(goals, run([t for t, _ in made], goals, program)):
            wanted, calls = goal["calls"], answer.get("calls") or []
            asks = bool(wanted) and "<ask>" in wanted[-1]
            status = answer.get("status")
            expected = "needs_answer" if asks else "done" if wanted else "no_tool"
            exact = status == expected and (asks or len(calls) == len(wanted)) and all(right(c, w, names) for c, w in zip(calls, wanted))
            if errors and not exact:
                print("   ", goal["goal"], "\n      want", wanted, "\n      got ", status, [[c["name"], *c["arguments"].values()] for c in calls], answer.get("question") or "")
            total["goals"] += 1
            total["exact"] += exact
            total["none"] += not wanted
            total["false"] += not wanted and bool(calls)
            total["ask"] += asks
            total["asked"] += asks and status == "needs_answer"
            if wanted and not asks:
                total["calls"] += len(wanted)
                total["tool"] += sum(c["name"] == w[0].replace(" ", "_") for c, w in zip(calls, wanted))
                total["single"] += len(wanted) == 1
                total["single_exact"] += len(wanted) == 1 and exact
    share = lambda a, b: round(100 * total[a] / max(1, total[b]), 1)
    print(json.dumps({"goals": total["goals"], "exact": share("exact", "goals"), "exact_single": share("single_exact", "single"), "tool": share("tool", "calls"),
                      "false_calls": share("false", "none"), "asked": share("asked", "ask")}))


if __name__ == "__main__":
    main(*sys.argv[1:])
