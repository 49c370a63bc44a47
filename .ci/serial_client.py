"""A host for one device on a serial line, written from the protocol page alone: no code of ours is in it, only Python's standard library.

It knows frames (COBS, CRC-32), packets (the frozen handshake and version 1), and enough of postcard to write a command and read a report.
"""

import os
import select
import struct
import termios
import time
import tty
import zlib

REFUSALS = ["no_lease", "stale_sequence", "expired", "retained", "latched", "busy", "unknown_tool", "bad_argument", "envelope", "plant",
            "no_program", "bad_program", "other_device", "unbound_slot", "needs_host", "report_waiting", "no_room"]
OBJECTIONS = ["retained", "no_lease", "busy", "no_store", "too_large", "device", "revision", "unsigned", "no_upload", "chunk", "order", "incomplete",
              "checksum", "version", "malformed", "program", "tool", "envelope", "signature", "flash"]
FAILURES = ["stopped", "lease_lost", "stalled", "envelope", "plant", "program"]


def cobs(data):
    out, block = bytearray(), bytearray()
    for byte in data:
        if byte:
            block.append(byte)
        if not byte or len(block) == 254:
            out += bytes([len(block) + 1]) + block
            block = bytearray()
            # A full block stands for no zero.
    return bytes(out + bytes([len(block) + 1]) + block)


def uncobs(data):
    out, at = bytearray(), 0
    while at < len(data):
        code = data[at]
        if code == 0 or at + code > len(data):
            return None
        out += data[at + 1:at + code]
        at += code
        if code < 255 and at < len(data):
            out.append(0)
    return bytes(out)


def frame(packet):
    return b"\0" + cobs(packet + struct.pack("<I", zlib.crc32(packet))) + b"\0"


def unframe(raw):
    content = uncobs(raw)
    if not content or len(content) < 5 or struct.unpack("<I", content[-4:])[0] != zlib.crc32(content[:-4]):
        return None
    return content[:-4]


def varint(number):
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes(out + bytes([number]))


def symbol(name):
    digest = 0x811c9dc5
    for byte in name.encode():
        digest = (digest ^ byte) * 0x01000193 & 0xffffffff
    return 0 if not name else digest or 1


def zigzag(number):
    return varint(number << 1 if number >= 0 else (-number << 1) - 1)


def value(given):
    """A truth, micro-units, three micro-units, or a name, as a command carries it."""
    if isinstance(given, bool):
        return b"\0" + bytes([given])
    if isinstance(given, int):
        return b"\1" + zigzag(given)
    if isinstance(given, str):
        return b"\3" + varint(symbol(given))
    return b"\2" + b"".join(map(zigzag, given))


class Reader:
    """What is left of a message."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def byte(self):
        self.at += 1
        return self.data[self.at - 1]

    def varint(self):
        number = shift = 0
        while True:
            byte = self.byte()
            number |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return number

    def signed(self):
        number = self.varint()
        return number >> 1 if number % 2 == 0 else -(number + 1 >> 1)

    def blob(self):
        length = self.varint()
        self.at += length
        return self.data[self.at - length:self.at]

    def text(self):
        return self.blob().decode()

    def told(self):
        return [lambda: bool(self.byte()), self.signed, lambda: [self.signed() for _ in range(3)], self.text, lambda: None][self.byte()]()


class Host:
    """The host's end of a line. It renews no lease by itself."""

    def __init__(self, path):
        self.line = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        tty.setraw(self.line)
        speed = termios.tcgetattr(self.line)
        speed[4] = speed[5] = termios.B115200
        termios.tcsetattr(self.line, termios.TCSANOW, speed)
        self.raw, self.parts, self.seq = bytearray(), {}, 0
        self.report, self.reports, self.boot, self.uptime_ms = None, 0, None, 0
        self.counts = {"noise": 0, "unreadable": 0, "dropped": 0}

    def send(self, packet):
        self.write(frame(packet))

    def write(self, data):
        """Writes bytes as they are; whoever sends more than the line takes has to listen meanwhile."""
        while data:
            try:
                data = data[os.write(self.line, data):]
            except BlockingIOError:
                self.listen(0.01)

    def listen(self, seconds=0.0):
        """What has come in until then, as ("pong" | "lease" | "ack" | "fault" | "report" | "line", fields)."""
        heard = []
        ready, _, _ = select.select([self.line], [], [], seconds)
        if ready:
            try:
                self.raw += os.read(self.line, 65536)
            except OSError:
                return heard
        while b"\0" in self.raw:
            raw, _, rest = self.raw.partition(b"\0")
            self.raw = rest
            packet = unframe(bytes(raw)) if raw else None
            if packet:
                heard += self.read(packet)
        return heard

    def read(self, packet):
        if packet[0] == ord("="):
            token, oldest, newest, boot, flags, length = struct.unpack("<IBBIBB", packet[1:13])
            self.boot = boot
            name = packet[13:13 + length].decode()
            return [("pong", {"token": token, "versions": (oldest, newest), "boot": boot, "stopped": flags & 1 == 1, "name": name})]
        if packet[0] != 1:
            return []
        reader = Reader(packet[1:])
        kind = reader.byte()
        if kind == 0:
            names = ("session", "granted", "boot", "uptime_ms", "seq")
            return [("lease", dict(zip(names, (reader.varint(), bool(reader.byte()), reader.varint(), reader.varint(), reader.varint()))))]
        if kind == 1:
            ack = dict(zip(("session", "seq", "id", "uptime_ms"), (reader.varint() for _ in range(4))))
            ack["refusal"] = REFUSALS[reader.varint()] if reader.byte() else None
            return [("ack", ack)]
        if kind == 2:
            return [("fault", {"uptime_ms": reader.varint(), "seq": reader.varint(), "failure": FAILURES[reader.varint()]})]
        if kind == 3:
            return self.part(reader)
        if kind == 4:
            reader.varint()
            self.counts = {name: reader.varint() for name in ("noise", "unreadable", "dropped")}
            return [("line", self.counts)]
        if kind == 5:
            return [("program", self.reply(Reader(reader.blob())))]
        return []

    @staticmethod
    def reply(reader):
        """A message of the program channel: what the store says, or what came of a run."""
        reply = {"session": reader.varint(), "id": reader.varint(), "answer": ("store", "refused", "report")[reader.byte()]}
        if reply["answer"] == "refused":
            reply["why"] = OBJECTIONS[reader.varint()]
        elif reply["answer"] == "report" and reader.byte():
            reply.update((name, reader.varint()) for name in ("run", "by", "crc", "step", "commands", "ms"))
            reply["outcome"] = reader.varint()
            if reply["outcome"] == 0:
                reply["observed"], reply["digest"] = reader.varint(), reader.varint()
        elif reply["answer"] == "store":
            names = ("name", "revision", "size", "crc")
            reply["installed"] = {name: reader.varint() for name in names} if reader.byte() else None
            reply["revision_min"] = reader.varint()
        return reply

    def part(self, reader):
        number, part = reader.byte(), reader.byte()
        missing = reader.varint() if reader.byte() else None
        if part == 0:
            self.parts = {}
        self.parts[part] = reader.blob()
        if missing is None:
            return []
        if missing or sorted(self.parts) != list(range(part + 1)):
            return []
        body = Reader(b"".join(self.parts[at] for at in range(part + 1)))
        report = {"boot": body.varint(), "uptime_ms": body.varint(), "busy": bool(body.byte()), "done": body.varint(), "failed": None}
        if body.byte():
            report["failed"] = (body.varint(), FAILURES[body.varint()])
        report["stopped"] = bool(body.byte())
        while body.at < len(body.data):
            owner, field = body.text(), body.text()
            report[(owner + " " if owner else "") + field] = body.told()
        self.report, self.boot, self.uptime_ms, self.reports = report, report["boot"], report["uptime_ms"], self.reports + 1
        return [("report", report)]

    def wait(self, wanted, fits=lambda fields: True, seconds=3.0):
        """The first of that kind that fits; None where none came in time."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            for kind, fields in self.listen(min(left, 0.05)):
                if kind == wanted and fits(fields):
                    return fields
        return None

    def ping(self, token=1, seconds=3.0):
        self.send(b"?" + struct.pack("<I", token))
        return self.wait("pong", lambda pong: pong["token"] == token, seconds)

    def stop(self, token=2, seconds=3.0):
        self.send(b"!" + struct.pack("<I", token))
        return self.wait("pong", lambda pong: pong["token"] == token, seconds)

    def reset(self):
        self.send(b"\1\2")
        return self.wait("report", lambda report: not report["stopped"])

    def lease(self, session=7, ttl_ms=5_000):
        self.send(b"\1\0" + varint(session) + varint(ttl_ms))
        lease = self.wait("lease", lambda lease: lease["session"] == session)
        if lease:
            self.seq, self.uptime_ms = max(self.seq, lease["seq"]), lease["uptime_ms"]
        return lease

    def command(self, tool, session=7, seq=None, expires_ms=None, seconds=3.0, **arguments):
        """Sends a command and returns what it was answered: None where it was begun, a refusal, or "nothing" where nobody answered."""
        self.seq += seq is None
        seq = self.seq if seq is None else seq
        expires_ms = self.uptime_ms + 2_000 if expires_ms is None else expires_ms
        listed = b"".join(varint(symbol(name)) + value(given) for name, given in arguments.items())
        head = b"".join(map(varint, (session, seq, seq, expires_ms, symbol(tool))))
        self.send(b"\1\1" + head + b"\1" + varint(len(arguments)) + listed)
        ack = self.wait("ack", lambda ack: ack["seq"] == seq, seconds)
        return ack["refusal"] if ack else "nothing"

    def until(self, fits, seconds=6.0):
        """The first report that fits."""
        return self.wait("report", fits, seconds)

    def ask(self, ask, session=7, number=None):
        """Sends a request of the program channel and waits for its reply."""
        self.asked = getattr(self, "asked", 0) + 1
        number = self.asked if number is None else number
        request = varint(session) + varint(number) + ask
        self.send(b"\1\3" + varint(len(request)) + request)
        return self.wait("program", lambda reply: reply["id"] == number)

    def upload(self, program, name, device, revision):
        """Begins, sends and commits a program; the last reply."""
        crc = struct.unpack("<I", program[-4:])[0]
        begin = b"\1" + b"".join(map(varint, (symbol(name), symbol(device), revision, len(program), crc))) + b"\0"
        reply = self.ask(begin)
        for offset in range(0, len(program), 96):
            if not reply or reply["answer"] != "store":
                return reply
            chunk = program[offset:offset + 96]
            reply = self.ask(b"\2" + varint(crc) + varint(offset) + varint(len(chunk)) + chunk)
        return self.ask(b"\3" + varint(crc))

    def run(self, number, crc, finishes, slots):
        """Lets the installed program run; answered like a command."""
        self.seq += 1
        seq = self.seq
        listed = varint(len(slots)) + b"".join(map(value, slots))
        run = varint(7) + varint(number) + b"\5" + b"".join(map(varint, (seq, self.uptime_ms + 2_000, crc))) + bytes([finishes]) + listed
        self.send(b"\1\3" + varint(len(run)) + run)
        ack = self.wait("ack", lambda ack: ack["seq"] == seq)
        return (ack["refusal"] or "begun") if ack else "nothing"
