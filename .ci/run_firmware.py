"""llmos drives the firmware in the emulator over its serial port, as it would drive any other device: learned, followed, replayed, refused.

    python3 run_firmware.py LLMOS IMAGE NOISE_ADDRESS

Exits 1 with the first thing that is not as it should be.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

from emulator import Board, check

MANIFEST = pathlib.Path(__file__).resolve().parent.parent / "firmware-bridge/firmware/slide.md"
RIGHT = "move the slide 10 cm to the right"
LEFT = "move the slide 20 cm to the left"


def main():
    llmos, image, address = sys.argv[1:4]
    with tempfile.TemporaryDirectory() as folder, Board(image, 4711, address) as board:
        workspace = pathlib.Path(folder) / "workspace"
        environment = {**os.environ, "XDG_DATA_HOME": folder}

        def call(*arguments):
            result = subprocess.run([llmos, "--workspace", str(workspace), *arguments], capture_output=True, text=True, timeout=120,
                                    stdin=subprocess.DEVNULL, env=environment)
            return result.returncode, result.stdout, result.stderr

        def run(*arguments):
            code, out, err = call(*arguments, "--json")
            try:
                return code, json.loads(out)
            except ValueError:
                sys.exit(f"FAILED: {arguments}: exit {code}\n{out}\n{err}")

        code, out, err = call("init", str(workspace))
        check(code == 0, "a workspace is made", err)
        for other in (workspace / "devices").glob("*.md"):
            other.unlink()
        text = MANIFEST.read_text().replace("/dev/ttyUSB0", board.path)
        (workspace / "devices/slide.md").write_text(text)
        code, out, err = call("device", "check")
        check(code == 0, "its manifest is accepted", out + err)
        code, learned = run("run", RIGHT)
        check((code, learned["status"], learned["mode"]) == (0, "done", "LEARNER"), "a goal is learned on the board", learned)
        code, followed = run("run", RIGHT)
        check((code, followed["status"], followed["mode"], followed["model_calls"]) == (0, "done", "FOLLOWER", 0), "and followed", followed)
        code, back = run("run", LEFT)
        check((code, back["status"], back["mode"]) == (0, "done", "FOLLOWER"), "with other slots, too", back)
        code, replayed = run("replay", learned["trace"])
        check((code, replayed["status"]) == (0, "done"), "and replayed", replayed)
        digests = {run["digest"] for run in (learned, followed, replayed)}
        check(len(digests) == 1 and back["digest"] not in digests, f"with one digest: {learned['digest']}", digests)
        code, barred = run("run", "move the slide 20 cm to the right")
        check((code, barred["status"]) == (3, "refused"), "it is not driven into its fence", barred)


main()
