"""What the fuzzer found, as text: `found/NAME.txt` has an input a line, with every byte that is not plain text as %XX.

    python found.py unpack NAME FOLDER    # as files, which the fuzzer reads
    python found.py pack NAME FOLDER      # what is in the folder and not in corpus/NAME
"""

import hashlib
import pathlib
import sys
from urllib.parse import quote_from_bytes, unquote_to_bytes

HERE = pathlib.Path(__file__).parent
PLAIN = " !\"#$&'()*+,/:;<=>?@[\\]^`{|}"


def main():
    verb, name, folder = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
    found = HERE / f"found/{name}.txt"
    if verb == "unpack":
        folder.mkdir(parents=True, exist_ok=True)
        for line in found.read_text("ascii").splitlines():
            data = unquote_to_bytes(line)
            (folder / hashlib.sha1(data).hexdigest()).write_bytes(data)
        return
    seeds = {path.read_bytes() for path in (HERE / "corpus" / name).iterdir()}
    inputs = {path.read_bytes() for path in folder.iterdir()} - seeds
    found.parent.mkdir(exist_ok=True)
    found.write_text("".join(quote_from_bytes(data, PLAIN) + "\n" for data in sorted(inputs, key=lambda data: (len(data), data)) if data), "ascii")


main()
