"""Deeds and what people say when they want them: symptoms, wishes, slang, in which no word of the tool's own line stands.

A line of a file is `description; description | utterance | utterance`. The deeds of `situations.txt` take nothing, so that all there is to
learn from a tool made of one is what the words mean; those of `wishes.txt` may take something, which nobody has marked, and teach tool search only.
"""

import re
from pathlib import Path

import phrases
from families import Family, Say, Tool

SMALL = set("a an the to of in on at by for with from into onto off out up down over so that until it its is are one more again some all as and or".split())


def _read(path):
    deeds = []
    for number, line in enumerate(path.read_text().splitlines()):
        does, *said = [part.strip() for part in line.split("|")]
        tool = Tool("situation", f"s{number}", f"{path.stem} {number}")
        tool.does = [part.strip() for part in does.split(";")]
        tool.names = [name for text in tool.does for name in _names(text)]
        tool.says = [Say(phrases.parse(text), {}, False, set()) for text in said]
        deeds.append(tool)
    return deeds


def _names(text):
    """What a programmer would call it: `bring image`, `bring image focus`."""
    words = [w for w in re.findall("[a-z]+", text) if w not in SMALL]
    return [" ".join(words[:2]), " ".join(words[:3])] if len(words) > 1 else words


DEEDS = _read(Path(__file__).with_name("situations.txt"))


def wishes():
    """The deeds of `wishes.txt`."""
    return _read(Path(__file__).with_name("wishes.txt"))


def said(tool):
    """The words of all that is said of a deed and for it."""
    return set(re.findall("[a-z]+", " ".join(tool.does + [w for say in tool.says for w in phrases.words_of(say.tree)]))) - SMALL


def family(rng):
    """Two to seven deeds, mostly of one corner of the file, as one device has them."""
    if rng.random() < 0.5:
        at = rng.randrange(len(DEEDS))
        near = DEEDS[max(0, at - 12):at + 12]
        tools = rng.sample(near, rng.randint(2, 7))
    else:
        tools = rng.sample(DEEDS, rng.randint(2, 7))
    out = Family("situation", [["device"]])
    out.tools = tools
    return out
