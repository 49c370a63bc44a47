"""The main job with two builds of llmos, side by side: what they plan and what they do must be the same.

    python3 main_job.py NATIVE OTHER [OLDER]      each a command, e.g. "qemu-aarch64-static -L SYSROOT llmos-aarch64"

OLDER is the other build on a processor that multiplies no quantised numbers: it computes the model in plain ones, which may tip a near tie,
and must do the main job all the same.
Between any two processors sums run in another order, and rounded activations tip over: pointer scores differ by up to 0.03 (`models/src/local/tests.rs`).
So a goal of `TIES`, for which two tools are about as good as each other, may be planned in two ways, and is printed; no other may.
Exits 1 with every difference beside those. It uses the standard library only.
"""

import json
import os
import pathlib
import shlex
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
GOALS = ROOT / "models/training/handwritten/demo.jsonl"
JOB = "pick up the red cube and put it in bin A"
# Goals beside the demo's that a build with another order of floating point operations would be the first to read differently: near ties.
MORE = ["move the arm 12 cm to the right and open the gripper", "close the gripper, then go home", "do not move the arm", "brew a coffee"]
TIES = {"move forward 10 cm, left 5 cm and down 2 cm"}     # the base or the arm, as the sums round


class Build:
    """One build in a home of its own."""

    def __init__(self, command, home):
        self.command, self.home = shlex.split(command), home

    def call(self, *arguments, seconds=1200):
        # Where this is missing, the program starts itself anew with it, and would leave the emulator.
        environment = {**os.environ, "CANDLE_NUM_THREADS": "1", "XDG_DATA_HOME": str(self.home)}
        return subprocess.run([*self.command, *arguments, "--json"], capture_output=True, text=True, timeout=seconds,
                              stdin=subprocess.DEVNULL, cwd=self.home, env=environment)

    def document(self, *arguments):
        result = self.call(*arguments)
        try:
            return json.loads(result.stdout)
        except ValueError:
            sys.exit(f"FAILED: {self.command} {arguments}: exit {result.returncode}\n{result.stdout}\n{result.stderr}")

    def plans(self, goals):
        """What is planned for each goal, without what only says how long it took."""
        path = self.home / "goals.txt"
        path.write_text("\n".join(goals) + "\n")
        begun = time.monotonic()
        result = self.call("plan", "--goals", str(path))
        lines = [json.loads(line) for line in result.stdout.splitlines()]
        if len(lines) != len(goals):
            sys.exit(f"FAILED: {self.command} planned {len(lines)} of {len(goals)} goals\n{result.stderr}")
        print(f"{len(goals)} goals planned in {time.monotonic() - begun:.1f} s", flush=True)
        return [{key: line.get(key) for key in ("status", "mode", "calls", "question", "model_calls")} for line in lines]

    def job(self):
        """The main job: learned, followed, replayed."""
        learned = self.document("run", JOB)
        followed = self.document("run", JOB)
        replayed = self.document("replay", learned["trace"] or "no-trace")
        return [tuple(run.get(key) for key in ("status", "mode", "digest")) for run in (learned, followed, replayed)] + [
            [(step["tool"], step["arguments"], step["observed"]) for step in learned["steps"]],
            (learned["model_calls"] > 0, followed["model_calls"], replayed["model_calls"]), learned["trace"]]


def main():
    rows = [json.loads(line) for line in GOALS.read_text().splitlines()]
    goals = [row["goal"] for row in rows if "goal" in row] + MORE
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        native, other = Build(sys.argv[1], pathlib.Path(first)), Build(sys.argv[2], pathlib.Path(second))
        here, there = native.plans(goals), other.plans(goals)
        different = {goal: f"{goal!r}:\n  here  {a}\n  there {b}" for goal, a, b in zip(goals, here, there) if a != b}
        called = sum(bool(plan["calls"]) for plan in here)
        if called < len(goals) // 2:
            sys.exit(f"FAILED: only {called} of {len(goals)} goals have a plan; the comparison says nothing")
        strange = [shown for goal, shown in different.items() if goal not in TIES]
        if strange:
            sys.exit(f"FAILED: {len(strange)} of {len(goals)} goals are planned differently\n" + "\n".join(strange))
        for shown in different.values():
            print(f"a near tie is planned differently: {shown}")
        print(f"the same plans for {len(goals) - len(different)} of {len(goals)} goals, {called} of them with calls")
        here, there = native.job(), other.job()
        digest = here[0][2]
        if [run[:2] for run in here[:3]] != [("done", "LEARNER"), ("done", "FOLLOWER"), ("done", "FOLLOWER")] or not digest:
            sys.exit(f"FAILED: the main job did not end as it should here: {here}")
        if {run[2] for run in here[:3]} != {digest} or here[4] != (True, 0, 0):
            sys.exit(f"FAILED: learned, followed and replayed are not the same run: {here}")
        if here != there:
            sys.exit(f"FAILED: the main job differs:\n  here  {here}\n  there {there}")
        print(f"the main job learned, followed and replayed: digest {digest} everywhere")
        if len(sys.argv) > 3:
            with tempfile.TemporaryDirectory() as third:
                older = Build(sys.argv[3], pathlib.Path(third)).job()
            if older != here:
                sys.exit(f"FAILED: the main job differs on an older processor:\n  here  {here}\n  there {older}")
            print("an older processor learns, follows and replays the main job with the same digest")


main()
