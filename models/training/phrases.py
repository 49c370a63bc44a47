"""The little language in which the families' phrasings are written.

A phrase such as `[pick up|grab] {object} (from {@at})` is parsed once into a tree and expanded
at random many times. An expansion is a list of pieces; a piece knows which mention it is, so the
place of every argument in the goal stays exact whatever is done to the words around it.

    [a|b]      one of the alternatives (they nest)
    (a)        present or absent
    {slot}     the value of a parameter, with an article where one belongs
    {@slot}    the value with a preposition of rest      ("on the shelf", "at (1, 2, 3)")
    {>slot}    the value with a preposition of direction ("to the shelf", "into bin a")
    {~slot}    a pronoun that stands for the value       ("it")
    $d         the device, with an article;  $n the device's bare name
"""

import re
from dataclasses import dataclass


@dataclass
class Piece:
    """A run of goal text; `mention` names the argument it is, if it is one."""

    text: str
    mention: object = None
    glue: bool = False  # attach to the piece before without a space
    open: bool = False  # a free text without quotes: words behind it would be read as its own


@dataclass(frozen=True)
class Literal:
    text: str


@dataclass(frozen=True)
class Slot:
    how: str
    name: str


@dataclass(frozen=True)
class Device:
    bare: bool


@dataclass(frozen=True)
class Choice:
    options: tuple
    optional: bool = False


LEXER = re.compile(r"[\[\]()|]|\{[@>~]?\w+\}|\$[dn]\b|[^\[\]()|{}$]+")


def parse(source):
    """Parse one phrase line; a top-level `|` separates alternatives."""
    words = LEXER.findall(source)
    if "".join(words) != source:
        raise ValueError(f"cannot read phrase: {source!r}")
    tree, rest = _alternatives(words, 0, None)
    if rest != len(words):
        raise ValueError(f"unbalanced brackets in phrase: {source!r}")
    return tree


def _alternatives(words, at, closing):
    options, current = [], []
    while at < len(words) and words[at] != closing:
        word = words[at]
        at += 1
        if word == "|":
            options.append(tuple(current))
            current = []
        elif word == "[":
            node, at = _alternatives(words, at, "]")
            current.append(node)
            at += 1
        elif word == "(":
            node, at = _alternatives(words, at, ")")
            current.append(Choice(node.options, optional=True))
            at += 1
        elif word in ("]", ")"):
            raise ValueError(f"unexpected {word}")
        else:
            current.append(_leaf(word))
    options.append(tuple(current))
    return Choice(tuple(options)), at


def _leaf(word):
    if word.startswith("{"):
        how = word[1] if word[1] in "@>~" else ""
        return Slot(how, word[1 + len(how):-1])
    if word.startswith("$"):
        return Device(bare=word == "$n")
    return Literal(word)


def expand(tree, rng, slot, device):
    """One random expansion of `tree`: pieces, with `slot(how, name)` and `device(bare)` supplying theirs."""
    out = []
    _walk(tree, rng, slot, device, out)
    return out


def _walk(node, rng, slot, device, out):
    if isinstance(node, Choice):
        if node.optional and rng.random() < 0.6:
            return
        options = node.options
        for part in options[int(rng.random() * len(options))]:
            _walk(part, rng, slot, device, out)
    elif isinstance(node, Slot):
        out.extend(slot(node.how, node.name))
    elif isinstance(node, Device):
        out.append(Piece(device(node.bare)))
    else:
        text = node.text.strip()
        if text:
            out.append(Piece(text))


def slots_of(tree):
    """The names of all slots that the tree may mention."""
    if isinstance(tree, Choice):
        return {name for option in tree.options for part in option for name in slots_of(part)}
    return {tree.name} if isinstance(tree, Slot) else set()


def words_of(tree):
    """The literal texts of all alternatives."""
    if isinstance(tree, Choice):
        return [text for option in tree.options for part in option for text in words_of(part)]
    return [tree.text] if isinstance(tree, Literal) else []


def openings(tree):
    """The literal texts with which the alternatives begin."""
    if isinstance(tree, Choice):
        return [text for option in tree.options if option for text in openings(option[0])]
    return [tree.text.strip()] if isinstance(tree, Literal) else []
