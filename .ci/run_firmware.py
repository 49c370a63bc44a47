"""llmos drives the firmware in the emulator over its serial port, as it would drive any other device: learned, followed, replayed, refused.
Then what it has learned is compiled, an independent host puts it on the board and goes away, and the board does it alone.

    python3 run_firmware.py LLMOS IMAGE NOISE_ADDRESS

Exits 1 with the first thing that is not as it should be.
"""

import json
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import time

from emulator import Board, check
from serial_client import Host, varint

MANIFEST = pathlib.Path(__file__).resolve().parent.parent / "firmware-bridge/firmware/slide.md"
RIGHT = "move the slide 10 cm to the right"
LEFT = "move the slide 20 cm to the left"


def alone(host, program, digest):
    """The board follows the program with its host away."""
    crc = struct.unpack("<I", program[-4:])[0]
    host.lease(ttl_ms=3_000)
    flipped = bytearray(program)
    flipped[20] ^= 1
    reply = host.upload(bytes(flipped), "flipped", "slide", 1)
    check(reply and reply.get("why") == "checksum", "one flipped bit is not installed", reply)
    reply = host.upload(program, "learned", "arm", 1)
    check(reply and reply.get("why") == "device", "nor what is announced for another device", reply)
    reply = host.upload(program, "learned", "slide", 1)
    check(reply and reply["answer"] == "store" and reply["installed"]["crc"] == crc, "the program itself is", reply)
    host.lease(ttl_ms=700)
    answer = host.run(1_001, crc, True, ["right", 100_000])
    check(answer == "begun", "it begins to run, and the host goes away", answer)
    # Listening, but saying nothing.
    moving = host.until(lambda report: report["moving"], 2.0)
    time.sleep(2.0)
    host.listen(0.1)
    granted = host.lease(ttl_ms=3_000)
    check(moving and granted and granted["granted"], "the lease has run out; a host is back")
    reply = host.wait("program", lambda reply: reply["answer"] == "report") or host.ask(b"\6")
    found = f"{reply.get('digest', 0):016x}" if reply else None
    check(reply and reply["run"] == 1_001 and found == digest, f"it was finished alone, with the digest of the host's own run: {found}", reply)
    # Only who holds the lease may say so; the wait for the report may have outlived it.
    host.lease(ttl_ms=10_000)
    reply = host.ask(b"\7" + varint(1_001))
    check(reply and reply["answer"] == "report" and "run" not in reply, "its report is taken over", reply)
    report = host.until(lambda report: not report["busy"])
    check(report and report["position"] == [400_000, 0, 0], "and the slide is where it should be", report)
    # The lease is no longer than this from now on.
    host.lease(ttl_ms=0)
    host.lease(ttl_ms=1_000)
    check(host.run(1_002, crc, False, ["left", 300_000]) == "begun", "the same to the left, to be stopped without a host")
    time.sleep(2.0)
    host.listen(0.1)
    host.lease(ttl_ms=3_000)
    reply = host.ask(b"\6")
    at = host.until(lambda report: not report["busy"])["position"][0]
    check(reply and reply["run"] == 1_002 and reply["outcome"] != 0 and 100_000 < at < 400_000, f"it stopped on its way, at {at} micrometres", reply)


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
        code, out, err = call("trace", "compile", learned["trace"], "--out", str(workspace / "program.bin"))
        check(code == 0, "what was learned is compiled", err)
        host = Host(board.path)
        alone(host, (workspace / "program.bin").read_bytes(), learned["digest"])
        host.lease(ttl_ms=0)
        os.close(host.line)
        code, out, err = call("skill", "push", "slide", learned["trace"])
        check(code == 0, "llmos puts it on the board itself", out + err)
        code, ran = run("device", "run", "slide", learned["trace"], "direction=left", "distance=5 cm")
        check((code, ran.get("status"), ran.get("model_calls")) == (0, "done", 0), "and lets the board run it", ran)


main()
