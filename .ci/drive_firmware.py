"""Drives the firmware in the emulator over its serial port, as an independent host, and checks what it does.

    python3 drive_firmware.py IMAGE IMAGE_WITH_FAULTS NOISE_ADDRESS

Exits 1 with the first thing that is not as it should be.
"""

import random
import signal
import sys
import time

from emulator import Board, check
from serial_client import Host

RIGHT = {"direction": "right"}
LEFT = {"direction": "left"}


def moves(host):
    pong = host.ping()
    check(pong and pong["name"] == "slide" and pong["versions"] == (1, 1) and not pong["stopped"], "it says who it is", pong)
    check(host.command("clamp", state="closed") == "no_lease", "without a lease nobody commands it")
    check((host.lease() or {}).get("granted"), "it grants a lease")
    check(not (host.lease(session=8) or {}).get("granted"), "and no second one")
    answer = host.command("move", **RIGHT, distance=100_000)
    check(answer is None, "a move is begun", answer)
    done = host.until(lambda report: report["done"] == host.seq)
    check(done and done["position"] == [300_000, 0, 0] and not done["moving"], "and ends where it should", done)
    check(host.command("move", **RIGHT, distance=200_000) == "envelope", "it does not move into its fence")
    check(host.command("move", **LEFT, distance=310_000) == "envelope", "nor out of its bounds, nor further than a step")
    check(host.command("move", **RIGHT, distance="far") == "bad_argument", "nor by a word")
    check(host.command("move", **RIGHT) == "bad_argument", "nor by nothing")
    check(host.command("dance") == "unknown_tool", "it does not dance")
    check(host.command("clamp", state="closed", expires_ms=1) == "expired", "nor do what is too old")
    check(host.command("clamp", state="closed", seq=1) == "stale_sequence", "nor what is out of order")
    check(host.command("clamp", state="closed") is None, "the clamp closes")
    check(host.command("clamp", state="closed", seq=host.seq) is None, "a resend gets the same answer")
    closed = host.until(lambda report: report["done"] == host.seq)
    check(closed and closed["clamp"] == "closed" and closed["position"] == [300_000, 0, 0], "and nothing was done twice", closed)


def stops(host):
    host.lease()
    check(host.command("move", **LEFT, distance=250_000) is None, "it is on its way")
    check(host.command("move", **LEFT, distance=1_000) == "busy", "and busy")
    begun = time.monotonic()
    pong = host.stop()
    took = time.monotonic() - begun
    check(pong and pong["stopped"], f"a stop is answered, after {took * 1000:.0f} ms")
    still = host.until(lambda report: report["stopped"] and not report["moving"])
    check(still and still["failed"][1] == "stopped" and 50_000 < still["position"][0] < 300_000, "and ends the move in the middle", still)
    later = host.until(lambda report: report["uptime_ms"] > still["uptime_ms"] + 700)
    check(later and later["position"] == still["position"], "it stays there")
    host.lease()
    check(host.command("clamp", state="open") == "latched", "and does nothing else")
    check(host.reset(), "until somebody resets it")
    host.lease(ttl_ms=400)
    check(host.command("move", **RIGHT, distance=100_000) is None, "it moves again")
    lost = host.until(lambda report: report["failed"])
    check(lost and lost["failed"][1] == "lease_lost" and not lost["moving"], "and stops by itself when its host is gone", lost)


def survives(host, seed):
    chance = random.Random(seed)
    print(f"   noise from seed {seed}")
    answered = 0
    for token in range(1, 101):
        host.write(bytes(chance.randrange(256) for _ in range(chance.randrange(60))))
        answered += host.ping(token) is not None
    check(answered == 100, "after any noise, the next whole frame is heard: 100 of 100", answered)
    host.lease()
    flood = b"".join(b"\0\x02?" + bytes([chance.randrange(1, 256)]) + b"\0" for _ in range(3_000))
    host.write(flood)
    begun = time.monotonic()
    pong = host.stop(token=99, seconds=10)
    took = time.monotonic() - begun
    check(pong and pong["stopped"], f"a flood of {len(flood)} bytes does not keep a stop away: {took * 1000:.0f} ms behind it")
    check(host.until(lambda report: report["stopped"], 1.5), "and it goes on reporting")
    counts = host.wait("line", seconds=1.5)
    check((counts or host.counts)["noise"] > 100, "it counts what it could not read", counts)
    check(host.reset(), "and goes on")


def fails(host):
    for fault in ("panic", "crash", "hang"):
        pong = host.ping()
        host.lease()
        check(host.command("clamp", state="closed") is None and host.until(lambda report: report["clamp"] == "closed"), f"{fault}: it works")
        begun, boot = time.monotonic(), pong["boot"]
        # The motor is on when it goes wrong, and nobody is left to answer.
        host.command(fault, seconds=0.0)
        again = host.until(lambda report: report["boot"] != boot, 8.0)
        took = time.monotonic() - begun
        check(again and not again["moving"] and again["position"] == [200_000, 0, 0], f"{fault}: it restarts with the motor off, within {took * 1000:.0f} ms", again)
        host.seq = 0


def main():
    image, faulty, address = sys.argv[1:4]
    random.seed()
    noise = random.getrandbits(32)
    with Board(image, noise, address) as board:
        host = Host(board.path)
        moves(host)
        stops(host)
        survives(host, 1)
        first = host.boot
        report = host.until(lambda report: report["stack"] > 0)
        print(f"stack: {report['stack'] // 1_000_000} bytes at most")
    with Board(faulty, noise + 1 & 0xffffffff, address) as board:
        host = Host(board.path)
        check(host.ping()["boot"] != first, "after power was gone it says another boot")
        fails(host)


signal.alarm(180)
main()
