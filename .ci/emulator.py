"""The example board in the emulator: one process, with its serial port on a pseudo-terminal."""

import re
import subprocess
import sys


class Board:
    """Powered on with these 32 bits of noise in its RAM; real RAM brings its own."""

    def __init__(self, image, noise, address):
        self.process = subprocess.Popen(
            # Its time is counted in instructions, so that a busy machine makes it slow and does not make its watchdog bite.
            ["qemu-system-arm", "-M", "lm3s6965evb", "-display", "none", "-monitor", "none", "-serial", "pty", "-icount", "shift=5",
             "-device", f"loader,addr={address},data={noise:#x},data-len=4", "-kernel", image],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        line = self.process.stdout.readline()
        found = re.search(r"/dev/\S+", line)
        if not found:
            sys.exit(f"FAILED: the emulator named no line: {line}")
        self.path = found.group()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def check(truth, what, found=None):
    if not truth:
        sys.exit(f"FAILED: {what}" + (f"; found {found}" if found is not None else ""))
    print(f"   {what}", flush=True)
