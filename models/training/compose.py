"""Goals: calls put into words, one after the other, with all that people do to a sentence.

The unit is a `Clause`: pieces of text plus the calls they ask for. Clauses are joined, wrapped,
denied, corrected and mistyped; the mentions ride along, so spans stay exact.
"""

import re
from dataclasses import dataclass, replace

import invent
import lexicon
import meanings
import phrases
import quantities
import situations
from families import Family
from phrases import Piece
from toolbox import CONFLICTS, RIVALS, Gadget, gerund, instance, kin

SPEAKER = {"i", "me", "my", "us", "our"}
SKIP, ASK, END, NONE = "<skip>", "<ask>", "<end>", "<none>"
POINTING = {"entity": {"it", "them", "that", "this", "these", "those", "him", "her"}, "place": {"there", "here"}}
PRONOUNS = ["it"] * 9 + ["that", "this", "them", "that one", "the object", "the thing"]
BACK = ["back", "back", "back there", "back where it was", "there", "back again"]
AGAIN = [", then do it again", "and do it again", ", and again", ", and then again", ", then once more", "and repeat that", ", and repeat", ", then repeat it", "and then do the same again", ". do that again",
         ". now again", ", do it twice", ". do that twice", "and then once again", ", then repeat the move", ", and one more time", ". once more"]
AGAIN_ALL = [", and do all of that again", ", then repeat everything", ". do the whole thing twice", ", then do both again", ". repeat all of that", ", and then the same again from the start", ". now all of that once more"]
RHYTHMS = {"every", "interval", "period", "rhythm", "cycle"}      # parameters of what repeats by itself
HOW = {"quickly", "slowly", "carefully"}
GREETINGS = {"ok", "okay", "hey", "hey robot", "alright"}
NOT_NOW = [""] * 25 + [" now", " please", " right now", " immediately", " quickly", " for me", " again", " slowly", " thanks", " carefully"]


@dataclass
class Clause:
    pieces: list
    calls: list                  # [(instance, {parameter: ("span", mention) | ("opt", text) | SKIP | ASK})]
    imperative: bool = True
    names_device: bool = False


@dataclass
class Goal:
    text: str
    calls: list                  # [(tool index, [argument, ...])], argument: (start, end) | option text | SKIP | ASK
    kind: str = "plan"


@dataclass
class Context:
    """What has been said so far in this goal."""

    last_entity: str | None = None
    held: str | None = None
    last_gadget: object = None
    mentions: int = 0


class Composer:
    """Puts the tools of one toolbox into goals."""

    def __init__(self, toolbox, rng, foreign):
        self.box = toolbox
        self.rng = rng
        self.foreign = foreign   # families to take irrelevant goals from

    # --- values -------------------------------------------------------------------------------------------------

    def _mention(self, context):
        context.mentions += 1
        return context.mentions

    def value(self, param, how, context, forced=None, name=None):
        """Pieces of one value and the mention's number; `name` is what the prompt calls the parameter."""
        rng = self.rng
        mention = self._mention(context)
        if param.type == "entity":
            pieces = self._entity(param, how, context, mention, name)
        elif param.type == "place":
            pieces = self._place(param, how, mention, forced, name)
        elif param.type == "text" and how == "~":
            pieces = self._pronoun(mention)
        elif param.type == "text":
            text = rng.choice(param.like).lower() if param.like and rng.random() < param.likely else lexicon.free_text(param.detail, rng)
            determiner, noun = ("", text) if param.detail == "speech" else lexicon.named(text) if param.open else lexicon.led(text)
            pieces = ([Piece(determiner)] if determiner else []) + [Piece(noun, mention, open=param.open)]
            if param.open and rng.random() < 0.15:
                quote = rng.choice("\"'\"")
                pieces = [Piece(quote), *([Piece(determiner, glue=True)] if determiner else []), Piece(noun, mention, glue=not determiner), Piece(quote, glue=True)]
        else:
            text = quantities.render(param.type, rng, param.low, param.high)
            pieces = [Piece(text, mention)]
        if rng.random() < 0.012 and how != "~":
            if param.type == "place":
                wrong = " ".join(p.text for p in self._place(param, how, None, None, name))
            else:
                wrong = quantities.render(param.type, rng, param.low, param.high) if param.type in quantities.DEFAULT_RANGE else lexicon.noun_phrase("small", rng)
            pieces = [Piece(wrong), Piece(rng.choice([", no wait,", ", no,", ", i mean", ", sorry,", ", uh no,", ", or rather", ", actually", " no", " sorry"]))] + pieces
        return pieces, mention

    def _entity(self, param, how, context, mention, name):
        rng = self.rng
        pronoun = context.last_entity is not None and rng.random() < 0.3
        if how == "~":
            if context.held is not None:
                pronoun = rng.random() < 0.7
                if not pronoun:
                    return [Piece(rng.choice(["the", "the", "that"])), Piece(context.held, mention)]
            else:
                pronoun = "pick" in self.box.caps or rng.random() < 0.4
        if pronoun and param.detail != "person":
            return self._pronoun(mention)
        if pronoun and rng.random() < 0.3:
            return [Piece(rng.choice(["him", "her", "me", "them"] if param.speaker else ["him", "her", "them"]), mention)]
        if param.like and rng.random() < param.likely:
            _, determiner, noun = lexicon.natural(rng.choice(param.like))
            context.last_entity = noun
            return ([Piece(determiner)] if determiner else []) + [Piece(noun, mention)]
        kind = lexicon.kind_of(name)
        determiner, noun = lexicon.entity(f"of:{kind}" if kind and rng.random() < 0.4 else param.detail or "small", rng)
        if param.detail == "person" and rng.random() < 0.12:
            determiner, noun = rng.choice(([("", "me"), ("", "us")] if param.speaker else []) + [("", "him"), ("", "her"), ("this", "person"), ("that", "woman"), ("that", "man")])
        context.last_entity = noun
        return ([Piece(determiner)] if determiner else []) + [Piece(noun, mention)]

    def _pronoun(self, mention):
        word = self.rng.choice(PRONOUNS)
        return [Piece("the"), Piece(word[4:], mention)] if word.startswith("the ") else [Piece(word, mention)]

    def _place(self, param, how, mention, forced, name):
        rng = self.rng
        if forced == "back":
            return [Piece(rng.choice(BACK), mention)]
        natural = param.like and rng.random() < param.likely
        preposition, determiner, noun = lexicon.natural(rng.choice(param.like)) if natural else lexicon.place(param.detail or "surface", rng)
        kind = lexicon.kind_of(name)
        if kind and not natural and rng.random() < 0.3:
            noun = lexicon.one_of(kind, rng)
            preposition, determiner = rng.choice(["in", "at", "on"]), "" if noun[-1].isdigit() else "the"
        if how == "" or not preposition:
            preposition = ""
        elif how == ">":
            into = {"on": ["on", "onto", "onto", "to"], "in": ["into", "into", "in", "to"], "at": ["to", "to", "over to"], "to": ["to", "to", "towards"]}
            preposition = rng.choice(into[preposition] if preposition in into else ["to"])
        elif preposition == "to":
            preposition = rng.choice(["at", "in", "on"])
        if how == ">" and noun in ("outside", "upstairs", "downstairs", "there", "here", "over there"):
            preposition = ""
        pieces = [Piece(w) for w in (preposition, determiner) if w]
        if noun[0] in "([" and rng.random() < 0.15:
            pieces.append(Piece(rng.choice(["position", "point", "coordinates", "location"])))
        return pieces + [Piece(noun, mention)]

    # --- one call -----------------------------------------------------------------------------------------------

    def device(self, gadget, context, clause, bare, exact):
        rng = self.rng
        clause.names_device = True
        if context.last_gadget is gadget and not bare and rng.random() < 0.45:
            return "it"
        word = gadget.noun if exact or rng.random() < 0.65 else rng.choice(gadget.words)
        if bare:
            return word
        return rng.choice(["the ", "the ", "the ", "the ", "the ", "my ", "", "our ", "that ", "this "]) + word

    def call(self, inst, context, more=False, allow_ask=True):
        """A clause that asks for one call of `inst`."""
        rng = self.rng
        allow_ask = allow_ask and not self.box.rivals(inst)
        keep_ask = allow_ask and rng.random() < 0.6
        clause, before = None, replace(context)
        for _ in range(12):
            context.__dict__.update(vars(before) | {"mentions": context.mentions})
            says = [s for s in inst.tool.says if self._fits(s, inst)]
            if not says:
                return None
            weights = [len(s.tree.options) * (1 if s.imperative else 0.5) for s in says]
            say = rng.choices(says, weights)[0]
            clause = self._render(inst, say, context, more and inst.tool.more is not None)
            missing = [name for name, a in clause.calls[0][1].items() if a is ASK]
            said = {word for p in clause.pieces if p.mention is None for word in p.text.split()}
            lacking = [inst.tool.param(name) for name in missing]
            implied = said & SPEAKER and any(p.detail == "person" for p in lacking)      # "pass me the cup" says to whom
            implied = implied or any(said & POINTING.get(p.type, set()) for p in lacking)      # and "pass it on", what
            if not missing or keep_ask and not implied:
                break
        else:
            if missing and (implied or not allow_ask):
                context.__dict__.update(vars(before))
                return None
        return clause

    def _fits(self, say, inst):
        slots = {s.spec.name: s for s in inst.slots}
        for name, wanted in say.fixed.items():
            if name not in slots or slots[name].index_of(wanted) is None:
                return False
        return True

    def _render(self, inst, say, context, more):
        rng = self.rng
        clause = Clause([], [], say.imperative)
        arguments = {}
        by_name = {s.spec.name: s for s in inst.slots}
        for name, wanted in say.fixed.items():
            if name in by_name and not more:
                arguments[name] = ("opt", by_name[name].index_of(wanted))
        exact = self.box.ambiguous(inst)

        def slot(how, name):
            shown = by_name.get(name)
            param = inst.tool.param(name)
            if param.option_sets:
                return self._option(inst, shown, arguments, name, context)
            pieces, mention = self.value(param, how, context, name=shown.name if shown else None)
            if param.type == "entity" and inst.tool.cap == "pick":
                context.held = next(p.text for p in pieces if p.mention == mention)
            if shown:
                arguments[name] = ("span", mention)
                pieces = _as_said(pieces, mention, shown)
            return pieces

        tree = inst.tool.more if more else say.tree
        clause.pieces = phrases.expand(tree, rng, slot, lambda bare: self.device(inst.gadget, context, clause, bare, exact))
        if more:
            clause.imperative = False
        for s in inst.slots:
            arguments.setdefault(s.spec.name, SKIP if s.optional else ASK)
        clause.pieces = _related(clause.pieces, arguments, inst.slots)
        clause.calls = [(inst, arguments)]
        if exact and not clause.names_device and not more:
            self._address(clause, inst)
        context.last_gadget = inst.gadget
        return clause

    def _option(self, inst, shown, arguments, name, context):
        rng = self.rng
        if shown is None:
            return [Piece(rng.choice(inst.tool.param(name).option_sets[0]))]
        option = rng.choice(shown.original)
        surfaces = shown.ways(option)
        surface = rng.choice(surfaces) if rng.random() < 0.7 else surfaces[0]
        if not shown.options:
            arguments[name] = ("span", self._mention(context))
            return _spelled(surface, context.mentions)
        arguments[name] = ("opt", option)
        pieces = [Piece(surface)]
        if rng.random() < 0.01:
            pieces = [Piece(rng.choice(shown.original)), Piece(rng.choice([", no,", ", no wait,", ", i mean", ", sorry,"]))] + pieces
        return pieces

    def _address(self, clause, inst):
        """Say which device is meant."""
        rng = self.rng
        word = inst.gadget.noun
        pieces = clause.pieces
        if clause.imperative:
            first = rng.choice([f"{word},", f"{word},", f"with the {word},", f"tell the {word} to", f"have the {word}", f"use the {word} to", f"let the {word}",
                                f"the {word} should", f"make the {word}", None, None])
            if first is None and pieces[-1].open:
                first = f"{word},"
            if first is None:
                pieces.append(Piece(rng.choice([f"with the {word}", f"using the {word}", f"on the {word}"])))
            else:
                pieces.insert(0, Piece(first))
        else:
            pieces.insert(0, Piece(rng.choice([f"{word},", f"{word}:", f"for the {word},"])))
        clause.imperative = clause.imperative and pieces[0].text.split()[0] in ("tell", "have", "use", "let", "make")
        clause.names_device = True

    # --- several calls ------------------------------------------------------------------------------------------

    def combo(self, context):
        """A clause for one of the families' set pieces whose tools are all in the list, or None."""
        rng = self.rng
        choices = []
        for gadget in self.box.gadgets:
            tools = {t.tool.id: t for t in gadget.instances}
            for combo in gadget.family.combos:
                if all(step in tools for step, _ in combo.steps) and not any(self.box.ambiguous(tools[s]) for s, _ in combo.steps):
                    choices.append((combo, tools))
        if not choices:
            return None
        combo, tools = rng.choices(choices, [sum(len(s.tree.options) for s in c.says) for c, _ in choices])[0]   # many wordings, many samples
        variables, kinds = {}, {}
        for step, arguments in combo.steps:
            for name, var in arguments.items():
                forced, _, plain = var.rpartition(":")
                kinds.setdefault(plain, (tools[step].tool.param(name), forced, next((s for s in tools[step].slots if s.spec.name == name), None)))

        def slot(how, name):
            key = ("~" if how == "~" else "") + name
            param, forced, shown = kinds.get(key) or kinds[name]
            if param.option_sets:
                if name not in variables:
                    if shown is None:
                        return []
                    option = rng.choice(shown.original)
                    variables[name] = ("opt", option) if shown.options else ("span", self._mention(context))
                    variables[name + "#"] = shown.ways(option)
                surface = rng.choice(variables[name + "#"])
                return [Piece(surface)] if variables[name][0] == "opt" else _spelled(surface, variables[name][1])
            if how == "~":
                mention = self._mention(context)
                variables[key] = ("span", mention)
                if param.detail == "person":
                    return [Piece(rng.choice(["him", "her", "them", "him", "her"]), mention)] if rng.random() < 0.85 else [Piece("this"), Piece("person", mention)]
                if rng.random() < 0.85:
                    return self._pronoun(mention)
                return [Piece("the"), Piece(variables["text " + name], mention)] if "text " + name in variables else [Piece("it", mention)]
            before = context.last_entity
            context.last_entity = None
            pieces, mention = self.value(param, how, context, forced)
            variables.setdefault(name, ("span", mention))
            variables["text " + name] = pieces[-1].text
            context.last_entity = context.last_entity or before
            return _as_said(pieces, mention, shown)

        say = rng.choices(combo.says, [len(s.tree.options) for s in combo.says])[0]
        pieces = phrases.expand(say.tree, rng, slot, lambda bare: self.device(next(iter(tools.values())).gadget, context, Clause([], []), bare, False))
        calls, told = [], set()
        for step, arguments in combo.steps:
            inst = tools[step]
            filled = {}
            for shown in inst.slots:
                var = arguments.get(shown.spec.name, "").rpartition(":")[2]
                if var.startswith("!"):
                    option = shown.index_of(var[1:])
                    if option is None:
                        return None
                    filled[shown.spec.name] = ("opt", option)
                else:
                    later = "~" + var if var in told else var      # the second time it is the pronoun, if there is one
                    told.add(var)
                    value = variables.get(later) or variables.get(var) or variables.get(var.lstrip("~")) or (SKIP if shown.optional else ASK)
                    if isinstance(value, tuple) and (value[0] == "opt") != bool(shown.options) or value[0] == "opt" and value[1] not in shown.options:
                        return None     # two tools share a word, and name its options in two ways
                    filled[shown.spec.name] = value
            pieces = _related(pieces, filled, inst.slots)
            calls.append((inst, filled))
            if any(a is ASK for a in filled.values()):
                return None
        return Clause(pieces, calls, say.imperative)

    def clauses(self, count):
        rng = self.rng
        context = Context()
        out, last = [], None
        for k in range(count):
            before = replace(context)
            clause = self.combo(context) if rng.random() < (0.28 if len(self.box.tools) > 1 else 0) else None
            if clause is None:
                context.__dict__.update(vars(before) | {"mentions": context.mentions})
                inst = last if last is not None and rng.random() < (0.2 if last.tool.more else 0.04) else self._choose(last)
                more = inst is last and inst.tool.more is not None and rng.random() < 0.8
                clause = self.call(inst, context, more, allow_ask=(k == count - 1 or rng.random() < 0.3))
                if clause is None or (inst.tool.family == "situation" and any(i is inst for c in out for i, _ in c.calls)):
                    continue        # two symptoms of one thing ask for its cure once
            if out and _same(out[-1], clause):
                continue            # what is said twice in other words is meant once, and `repeat` says what is meant twice
            last = clause.calls[-1][0]
            out.append(clause)
        return out

    def repeat(self, clause):
        """The clause with words that ask for all of it again, or None where a repetition says something else."""
        rng = self.rng
        counts_itself = any(s.spec.type == "integer" or s.spec.name in RHYTHMS for inst, _ in clause.calls for s in inst.slots)
        missing = any(a is ASK for _, arguments in clause.calls for a in arguments.values())
        if counts_itself or missing or not clause.imperative or len(clause.calls) > 3 or clause.pieces[-1].open:
            return None
        times = rng.choice([2, 2, 2, 2, 3, 3, 4])
        if times * len(clause.calls) > 6:
            times = 2
        if times == 2 and rng.random() < 0.6:
            tail = rng.choice([tail for tail in AGAIN_ALL if "both" not in tail or len(clause.calls) == 2] if len(clause.calls) > 1 else AGAIN)
        else:
            tail = rng.choice({2: ["twice", "twice", "two times", "2 times", "two times in a row"], 3: ["three times", "3 times", "thrice", "three times in a row"], 4: ["four times", "4 times"]}[times])
            tail = rng.choice(["", "", ", "]) + tail if len(clause.calls) == 1 else rng.choice([", and do all of that", ", all of it", ", and do the whole thing", ", everything"]) + " " + tail
        return Clause(clause.pieces + [Piece(tail)], clause.calls * times, True, clause.names_device)

    def _choose(self, last):
        rng = self.rng
        pool = last.gadget.instances if last is not None and rng.random() < 0.6 else self.box.tools
        others = [t for t in pool if t is not last] or pool
        return rng.choice(others)

    # --- joining ------------------------------------------------------------------------------------------------

    def join(self, clauses):
        """One clause out of several."""
        joined = clauses[0]
        total = len(clauses)
        for k, clause in enumerate(clauses[1:], 1):
            joined = self._join_two(joined, clause, k, total)
        if total > 1 and joined.imperative and self.rng.random() < 0.12:
            joined.pieces.insert(0, Piece(self.rng.choice(["first", "first", "first,", "to begin with,", "start by this:", "step one:"])))
            joined.imperative = False
        return joined

    def _join_two(self, a, b, k, total):
        rng = self.rng
        roll = rng.random()
        both = a.imperative and b.imperative
        if total == 2 and both and roll < 0.14 and not a.pieces[-1].open and len(a.calls) == len(b.calls) == 1 and _plain(a) and _plain(b):
            return self._reorder(a, b)
        if a.pieces[-1].open:
            word = rng.choice([", then", ". then", ", and then", ".", ".", " and then", ". after that", "; then", ", afterwards", ". now", ", and", " and"])
        elif both or a.imperative:
            word = rng.choice([", then", " and", " and then", ", and then", " then", ", afterwards", ". then", ". after that", ".", ",", ", after that", " and", ", next", ". finally",
                               ", finally", "; then", ", and", " and after that", ". next,", ". when you are done,", ", followed by this:", ", once done", ". and"])
        else:
            word = rng.choice([".", ",", ", then", ". then", " and", ";", " and then", ", and"])
        return Clause(a.pieces + [Piece(word.strip() if word[0] == " " else word)] + b.pieces, a.calls + b.calls, a.imperative)

    def _reorder(self, a, b):
        """Two clauses whose order in the sentence is told by a conjunction."""
        rng = self.rng
        ing = lambda c: [Piece(gerund(c.pieces[0].text), c.pieces[0].mention)] + c.pieces[1:]
        free = lambda c: c.pieces[0].mention is None
        roll = rng.random()
        calls = a.calls + b.calls
        if any(x.mention and x.text in ("object", "thing", *PRONOUNS) for x in b.pieces) and roll < 0.5:
            roll = 0.5 + roll / 2
        if roll < 0.15 and free(a):
            return Clause([Piece(rng.choice(["after", "after", "when done"]))] + ing(a) + [Piece(",")] + b.pieces, calls, False)
        if roll < 0.3 and free(a):
            return Clause(b.pieces + [Piece(rng.choice(["after", ", but only after"]))] + ing(a), calls, b.imperative)
        if roll < 0.4:
            return Clause([Piece("before you")] + b.pieces + [Piece(",")] + a.pieces, calls, False)
        if roll < 0.5:
            return Clause(b.pieces + [Piece(rng.choice([", but first", ", but before that", ", but before you do,", "after you"]))] + a.pieces, calls, b.imperative)
        if roll < 0.7:
            return Clause(a.pieces + [Piece(rng.choice(["before you", "and only then", "before you"]))] + b.pieces, calls, a.imperative)
        if roll < 0.85 and free(b):
            return Clause(a.pieces + [Piece("before")] + ing(b), calls, a.imperative)
        return Clause([Piece(rng.choice(["first", "first,"]))] + a.pieces + [Piece(rng.choice([", then", "and then", ". second,", "then", ", second", ". afterwards"]))] + b.pieces, calls, False)

    # --- wrapping -----------------------------------------------------------------------------------------------

    POLITE = ["please", "please", "please", "could you", "can you", "would you", "could you please", "can you please", "would you please", "please could you", "will you", "i want you to",
              "i need you to", "i would like you to", "i'd like you to", "you should", "you need to", "go ahead and", "let's", "now", "now please", "ok", "okay,", "hey,", "hey robot,",
              "robot,", "the robot should", "tell the robot to", "have the robot", "make sure to", "try to", "it is time to", "your task is to", "your job is to", "the next step is to",
              "we need to", "you have to", "you must", "be so kind and", "would you mind to", "i was wondering if you could", "do me a favor and", "quickly", "carefully", "slowly", "just",
              "so", "well,", "and", "then", "next", "remember to", "don't forget to", "help me to", "can we", "could we", "would it be possible to", "is it possible to",
              "next,", "alright,", "um", "uh", "computer,", "assistant,", "be a dear and", "feel free to", "immediately", "go and", "what i need is for you to", "kindly", "ask the robot to",
              "thanks, now", "no, do it properly:", "i think you should", "how about you", "why don't you", "might you", "do you think you could", "if possible,", "as soon as you can,", "when you have time,"]
    PLAIN = ["hey,", "ok", "so", "well,", "um,", "look,", "listen,", "please,", "robot,", "i think", "now", "uh"]
    QUESTIONS = ("could", "can", "would", "will", "is it", "do you", "might", "how about", "why don't")

    def wrap(self, clause):
        rng = self.rng
        question = False
        manner = any(_says_how(inst.tool) for inst, _ in clause.calls)      # then "slowly" is an argument
        talks = self.box.talks                                              # then "thanks" may be a goal of its own
        if clause.imperative and rng.random() < 0.42:
            wrapper = rng.choice([w for w in self.POLITE if not (manner and w in HOW or talks and (w.strip(",") in GREETINGS or w.startswith(("no,", "thanks"))) or self.box.tells and w.startswith(("tell", "ask")))])
            question = wrapper.startswith(self.QUESTIONS)
            clause.pieces.insert(0, Piece(wrapper))
        elif not clause.imperative and rng.random() < 0.15:
            clause.pieces.insert(0, Piece(rng.choice([w for w in self.PLAIN if not (talks and w.strip(",") in GREETINGS)])))
        tail = rng.choice(NOT_NOW).strip()
        if tail and clause.calls and not clause.pieces[-1].open and not (manner and tail in HOW or talks and tail in ("again", "thanks")):
            clause.pieces.append(Piece(tail if rng.random() < 0.7 else ", " + tail))
        roll = rng.random()
        if roll < 0.3:
            clause.pieces.append(Piece("?" if question else rng.choice([".", ".", ".", "!"])))
        if clause.calls and rng.random() < 0.09 and not any(p.open for p in clause.pieces[-2:]):
            self._reason(clause)
        return clause

    def _reason(self, clause):
        """Why it shall be done, which asks for nothing."""
        rng = self.rng
        person, thing = rng.choice([rng.choice(lexicon.PEOPLE), "my " + rng.choice(lexicon.ROLES)]), rng.choice(rng.choice([lexicon.NOUNS["small"], lexicon.NOUNS["any"]])).replace("-", " ")
        said = rng.choice(REASONS).replace("PERSON", person).replace("THING", thing)
        if rng.random() < 0.72 or not clause.imperative:
            joint = "" if said.startswith(("so ", "before ", "to ", "for ", "while ")) and rng.random() < 0.7 else rng.choice([", ", " ", ", ", ". "])
            if not said.startswith(("so ", "before ", "to ", "for ", "while ")):
                said = rng.choice(["because ", "because ", "because ", "since ", "as ", "cause "]) + said
            clause.pieces.append(Piece((joint + said).strip()))
        elif not said.startswith(("so ", "to ", "for ", "before ", "while ")):
            clause.pieces.insert(0, Piece(rng.choice(["", "", "since ", "as ", "because "]) + said + rng.choice([",", ",", ", so", "."])))
            clause.imperative = False

    def deny(self, clause):
        """A goal that must not be done, as told."""
        rng = self.rng
        prefix = rng.choice(["do not", "don't", "do not", "don't", "never", "please do not", "please don't", "you must not", "you should not", "dont", "under no circumstances", "avoid to",
                             "i don't want you to", "there is no need to", "no need to", "you don't have to", "refrain from trying to", "make sure you do not", "make sure not to", "be careful not to",
                             "nobody is to", "no one may", "nobody should", "i do not want anybody to", "whatever you do, don't", "we must not", "it is forbidden to",
                             "do not ever", "i forbid you to", "you shouldn't", "you can't", "stop trying to", "forget what i said, don't"])
        return Clause([Piece(prefix)] + clause.pieces, [], False)

    def question_about(self, clause):
        rng = self.rng
        prefix = rng.choice(["how do i", "why did you", "what happens if you", "did you", "who told you to", "how often do you", "have you ever tried to", "do you know how to", "when did anna",
                             "is it dangerous to", "i did not ask you to", "yesterday i had to", "do you like to", "what does it cost to", "how long does it take to", "why would anybody",
                             "i remember when we used to", "explain how to", "is it a good idea to", "my brother likes to", "what is the best way to"])
        return Clause([Piece(prefix)] + clause.pieces, [], False)

    # --- goals --------------------------------------------------------------------------------------------------

    def goal(self):
        rng = self.rng
        for _ in range(20):
            roll = rng.random()
            if roll < 0.1:
                goal = self._foreign()
            elif roll < 0.14:
                goal = self._beside()
            elif roll < 0.16:
                goal = self._chat()
            elif roll < 0.205:
                goal = self._denied()
            else:
                goal = self._plan()
            if goal is not None and len(goal.text) < 330:
                return goal
        return self.finish(Clause([Piece("lorem ipsum")], []), "none")     # a list whose tools cannot be asked for with the options that they have here

    def _plan(self):
        rng = self.rng
        count = rng.choices([1, 2, 3, 4, 5, 6], [0.63, 0.23, 0.08, 0.035, 0.015, 0.01])[0]
        clauses = self.clauses(count)
        if not clauses or sum(len(c.calls) for c in clauses) > 6:
            return None
        clause = self.join(clauses)
        if len(clauses) == 1 and rng.random() < 0.04:
            clause = self._instead(clause) or clause
        elif rng.random() < 0.05:
            clause = self.repeat(clause) or clause
        return self.finish(self.wrap(clause), "plan")

    def _instead(self, clause):
        """The plan beside something that shall not be done."""
        rng = self.rng
        other = self.call(rng.choice(self.box.tools), Context(mentions=1000), allow_ask=False)
        if other is None or not other.imperative or not clause.imperative or any(a is ASK for a in clause.calls[0][1].values()):
            return None
        roll = rng.random()
        if roll < 0.4:
            pieces = clause.pieces + [Piece(rng.choice([", but do not", ", but don't", ", and don't", ", just do not", "but do not", "without trying to", ", don't"]))] + other.pieces
        elif roll < 0.6:
            pieces = [Piece(rng.choice(["do not", "don't"]))] + other.pieces + [Piece(rng.choice([", instead", ", rather", ", just", ". instead,", ", but"]))] + clause.pieces
        elif roll < 0.75:
            pieces = clause.pieces + [Piece(rng.choice(["instead of", "rather than"])), Piece(gerund(other.pieces[0].text))] + other.pieces[1:]
        else:
            pieces = other.pieces + [Piece(rng.choice([", no,", ", no wait,", ". no,", ", sorry,", "... actually,", ", scratch that,", ". never mind,", ", i mean"]))] + clause.pieces
            return Clause(pieces, clause.calls, other.imperative)
        return Clause(pieces, clause.calls, roll < 0.4 or 0.6 <= roll < 0.75)

    def _denied(self):
        rng = self.rng
        clause = self.call(rng.choice(self.box.tools), Context(), allow_ask=False)
        if clause is None or not clause.imperative or not _plain(clause):
            return None     # of two deeds the second would not be denied
        clause = self.question_about(clause) if rng.random() < 0.25 else self.deny(clause)
        return self.finish(self.wrap(clause), "none")

    def _chat(self):
        """Small talk, unless a listed tool is for talk or asked for in such words."""
        text = self.rng.choice(CHAT)
        said = _content(text) - SMALL
        if self.box.talks or any(said and len(said & _said(t.tool)) * 2 >= len(said) for t in self.box.tools):
            return None
        return self.finish(Clause([Piece(text)], []), "none")

    def _foreign(self):
        """A goal for a tool that is not in the list."""
        rng = self.rng
        if self.foreign and rng.random() < 0.5:
            return rng.choice([self._foreign_invented, self._foreign_meaning, self._foreign_sibling, self._foreign_situation])()
        family = rng.choice(self.foreign)
        tool = rng.choice(family.tools)
        words = rng.choice(family.devices)
        wide = len(family.devices) > 15
        here = {w.split()[-1] for g in self.box.gadgets for w in g.words}
        if wide and ({w.split()[-1] for w in words} & here):
            return None
        caps = set(self.box.caps)
        related = {tool.cap} | {c for group in CONFLICT_GROUPS if tool.cap in group for c in group}
        if not wide and (related & caps or {g.family.name for g in self.box.gadgets} & {family.name} or (kin(family) and any(kin(g.family) for g in self.box.gadgets))):
            return None
        if not wide and _content(" ".join(tool.names + tool.does)) & _content(" ".join(t.line()[0] for t in self.box.tools)):
            return None
        inst = _stranger(tool, family, words, rng)
        stranger = Composer(_Lonely(inst), rng, [])
        clause = stranger.call(inst, Context(), allow_ask=False)
        if clause is None or (wide and not clause.names_device) or (wide and any(p.text == "it" for p in clause.pieces)) or self._understood(clause):
            return None
        clause.calls = []
        return self.finish(self.wrap(clause), "none")

    def _understood(self, clause, but=None):
        """Whether a listed tool is asked for in nearly the same words, so that the goal may be for it after all."""
        said = _content(" ".join(p.text for p in clause.pieces if p.mention is None))
        return any(len(said & _said(t.tool)) * 3 >= len(said) * 2 for t in self.box.tools if t.gadget is not but)

    def _beside(self):
        """What people say beside a device of the list that none of its tools is for, nor any other here."""
        rng = self.rng
        gadget = rng.choice(self.box.gadgets)
        if gadget.family.nots is None:
            return None
        pieces = phrases.expand(gadget.family.nots, rng, None, None)
        clause = Clause(pieces, [], False)
        if self._understood(clause, gadget):
            return None
        others = " ".join(t.line()[0] for t in self.box.tools if t.gadget is not gadget)
        if len(_content(" ".join(p.text for p in pieces)) & _content(others)) > 1:
            return None
        return self.finish(self.wrap(clause), "none")

    def _foreign_invented(self):
        """An invented goal none of whose words stands in the tool list, so that a strange word alone says nothing."""
        rng = self.rng
        family = invent.family(rng, strange=True)
        inst = _stranger(rng.choice(family.tools), family, family.devices[0], rng)
        known = {w for t in self.box.tools for w in t.line()[0].replace(":", "").split()} - COMMON
        clause = Composer(_Lonely(inst), rng, []).call(inst, Context(), allow_ask=False)
        if clause is None:
            return None
        said = {w for p in clause.pieces if p.mention is None for w in p.text.split()}
        if said & known or len(said) < 2:
            return None
        clause.calls = []
        return self.finish(self.wrap(clause), "none")

    def _foreign_situation(self):
        """A deed of daily life that no listed tool shares a word with."""
        rng = self.rng
        tool = rng.choice(situations.DEEDS)
        if situations.said(tool) & _content(" ".join(t.line()[0] for t in self.box.tools)):
            return None
        family = Family("situation", [["device"]])
        inst = _stranger(tool, family, family.devices[0], rng)
        clause = Composer(_Lonely(inst), rng, []).call(inst, Context(), allow_ask=False)
        if self._understood(clause):
            return None
        clause.calls = []
        return self.finish(self.wrap(clause), "none")

    def _foreign_sibling(self):
        """A goal for what a device of the list might well do, but has no tool for here."""
        rng = self.rng
        gadget = rng.choice(self.box.gadgets)
        if gadget.family not in self.foreign:
            return None
        caps = set(self.box.caps)
        related = {c for cap in caps for group in [*CONFLICTS, *RIVALS, *CONFLICT_GROUPS] if cap in group for c in group} | caps
        missing = [t for t in gadget.family.tools if t.cap not in related]
        if not missing:
            return None
        tool = rng.choice(missing)
        if _content(" ".join(tool.names + tool.does)) & _content(" ".join(t.line()[0] for t in self.box.tools)) - set(gadget.words):
            return None
        inst = _stranger(tool, gadget.family, gadget.words, rng)
        clause = Composer(_Lonely(inst), rng, []).call(inst, Context(), allow_ask=False)
        if clause is None or self._understood(clause):
            return None
        clause.calls = []
        return self.finish(self.wrap(clause), "none")

    def _foreign_meaning(self):
        """Something else done to a thing of the list: the noun is known, the verb means none of the tools."""
        rng = self.rng
        near = [t for t in self.box.tools if not t.slots or t.slots[0].spec.type not in ("entity", "place")] or self.box.tools
        inst = rng.choice(near)
        words = set()
        for tool in self.box.tools:
            if tool.gadget is inst.gadget:
                words |= _content(" ".join(tool.tool.names + tool.tool.does + [w for say in tool.tool.says for w in phrases.words_of(say.tree)]))
        noun = getattr(inst.tool, "noun", None) or rng.choice(inst.gadget.words)
        family = meanings.stranger(noun, words, rng)
        if family is None:
            return None
        other = _stranger(family.tools[0], family, family.devices[0], rng)
        clause = Composer(_Lonely(other), rng, []).call(other, Context(), allow_ask=False)
        if clause is None:
            return None
        clause.calls = []
        return self.finish(self.wrap(clause), "none")

    # --- text ---------------------------------------------------------------------------------------------------

    def finish(self, clause, kind):
        """The goal's text, with every mention's place in it."""
        text, spans = assemble(noise(clause.pieces, self.rng))
        index = {id(t): i for i, t in enumerate(self.box.tools)}
        calls = []
        for inst, arguments in clause.calls:
            listed = []
            for shown in inst.slots:
                argument = arguments[shown.spec.name]
                if argument not in (SKIP, ASK):
                    kind_of, value = argument
                    argument = spans[value] if kind_of == "span" else value
                listed.append(argument)
                if argument is ASK:
                    break
            calls.append((index[id(inst)], listed))
            if ASK in listed:
                kind = "ask"
                break
        return Goal(text, calls, kind)


def _as_said(pieces, mention, shown):
    """A thing or place that the list shows as a text is what was said of it, but for articles: `my phone`, where an entity is a `phone`."""
    if shown is None or shown.kind != "text" or shown.spec.type == "text":
        return pieces
    at = next(i for i, piece in enumerate(pieces) if piece.mention == mention)
    before = pieces[at - 1].text if at else ""
    if before not in lexicon.DETERMINERS or before in ("the", "a", "an"):
        return pieces
    return pieces[:at - 1] + [replace(pieces[at], text=f"{before} {pieces[at].text}")] + pieces[at + 1:]


RELATION = re.compile(r"(?:^|(?<= ))(?:next to|near to|near|close to|in front of|behind|beside|between|underneath|under|below|above|on top of|opposite|to the (?:left|right) of)(?: (?:the|a|an|my|your|our|his|her|their))?$")
PLACES = set("place location where spot goal destination dst dest at surface area position site room to where_to target_place furniture".split())


def _related(pieces, arguments, slots):
    """A relation in front of a place belongs to it: in `next to the {place}` the place is `next to the door`."""
    for slot in slots:
        kind, mention = arguments[slot.spec.name] if isinstance(arguments.get(slot.spec.name), tuple) else (None, None)
        if kind != "span" or not _is_place(slot.spec):
            continue
        at = next((i for i, piece in enumerate(pieces) if piece.mention == mention), 0)
        first = at
        while first and at - first < 2 and pieces[first - 1].mention is None and not pieces[first - 1].glue:
            first -= 1
        before = " ".join(piece.text for piece in pieces[first:at])
        found = RELATION.search(before)
        if found:
            pieces[first:at + 1] = [Piece(before[:found.start()].strip()), replace(pieces[at], text=f"{found[0]} {pieces[at].text}")]
    return pieces


def _is_place(param):
    return param.type == "place" or param.type == "text" and not param.open and not PLACES.isdisjoint([param.name, *param.names])


def _spelled(surface, mention):
    """Pieces of an option that is a text in this list."""
    lead, text = lexicon.led(surface)
    return ([Piece(lead)] if lead else []) + [Piece(text, mention)]


def _plain(clause):
    """Whether a clause has one verb."""
    return not any(word in (",", "and", "then") for p in clause.pieces for word in re.findall(r"\w+|,", p.text) if p.mention is None)


def _same(before, clause):
    """Whether a clause begins with the very call that the one before ended with."""
    (inst, arguments), (other, given) = before.calls[-1], clause.calls[0]
    said = {p.mention: p.text for p in before.pieces + clause.pieces}

    def alike(one, two):
        if one in (SKIP, ASK) or two in (SKIP, ASK) or one[0] != "span":
            return one == two
        return said[two[1]] in (said[one[1]], *PRONOUNS, "object", "thing")
    return inst is other and all(alike(arguments[name], given[name]) for name in arguments)


def _content(text):
    """The words of `text` that say something."""
    return {w.strip(".,;:()$'\"") for w in text.lower().split()} - COMMON - {""}


def _says_how(tool):
    """Whether an argument of the tool may be what `HOW` has, so that such a word behind a goal would be one."""
    surfaces = [way for ways in tool.surfaces.values() for way in ways]
    options = [option for p in tool.params for options in p.option_sets for option in options]
    return any(text in HOW or text.split(" ")[-1] in HOW for text in surfaces + options + [text for p in tool.params for text in p.like])


def _said(tool):
    """The content words in which `tool` is asked for."""
    if not hasattr(tool, "content"):
        tool.content = _content(" ".join(w for say in tool.says for w in phrases.words_of(say.tree)))
    return tool.content


COMMON = set("the a an to of in on at or and for with by from it is some set $n $d this that my your".split())
SMALL = set("i you me we who what how when where why do does can are am was be have let not there here".split())
CONFLICT_GROUPS = [{"power", "start", "stop2", "schedule", "growlight"}, {"place", "deliver", "fetch", "transport", "pick"}, {"home", "dock", "goto"}, {"wait", "pause", "stop", "pause2", "spotclean"},
                   {"temperature", "readtemp"}, {"move", "axisby"}, {"clean", "wash"}, {"say", "notify"}, {"opening", "open1", "close1", "openshare", "lock", "gripper"},
                   {"level", "brightness", "volume"}, {"follow", "goto"}, {"give", "fetch", "deliver", "transport", "place"}, {"find", "findperson"}, {"stop2", "pause", "pause2", "stop", "power"},
                   {"say", "notify", "askperson"}]


class _Lonely:
    """A toolbox of one strange tool."""

    def __init__(self, inst):
        self.tools, self.gadgets, self.caps = [inst], [inst.gadget], {inst.tool.cap: [inst]}

    def rivals(self, _):
        return False

    def ambiguous(self, _):
        return False


def _stranger(tool, family, words, rng):
    gadget = Gadget(family, words[0], words)
    inst = instance(tool, gadget, rng)
    gadget.instances = [inst]
    return inst


REASONS = """i am late|i have no time|my hands are full|guests are coming|PERSON is coming|PERSON is waiting|the meeting is about to start|i cannot reach it|it is in the way|i hurt my back|PERSON asked for it|we are leaving
|i am very busy|my THING is broken|i want to see the THING|the baby sleeps|we have visitors|it is PERSON's birthday|PERSON forgot it|it is my turn|i am in a wheelchair|we are done here|i need it for my work|the THING is not safe
|it looks wrong|the boss wants it|so that i can work|so that PERSON can see it|so we can go on|so i can check the THING|so nobody gets hurt|before PERSON comes home|before it is too late|before lunch|before the guests arrive
|to save time|to be on the safe side|to make room|for the demo|for PERSON's party|for my presentation|for the experiment|while i get dressed|while we wait|while nobody is looking|to help PERSON|for the THING""".replace("\n", "").split("|")
FILLERS = ["uh", "um", "er", "hmm", "ah", "erm", "uh,", "um,", "er,", "hmm,", ", like,", ", you know,", ", well,"]      # words only between commas: "the well poster" could be one


def noise(pieces, rng):
    """Slips of the tongue and of the keyboard."""
    roll = rng.random()
    if roll < 0.05 and len(pieces) > 1:
        at = rng.randrange(1, len(pieces))
        if not pieces[at].glue:
            pieces = pieces[:at] + [Piece(rng.choice(FILLERS))] + pieces[at:]
    elif roll < 0.1:
        at = rng.randrange(len(pieces))
        if not (pieces[at].mention and quantities.any_in(pieces[at].text)):     # code reads quantities, and doesn't guess at one that is misspelt
            pieces = pieces[:at] + [Piece(mistype(pieces[at].text, rng), pieces[at].mention, pieces[at].glue)] + pieces[at + 1:]
    elif roll < 0.15:
        pieces = [Piece(p.text.replace(",", "") if p.mention is None else p.text, p.mention, p.glue) for p in pieces]
    return pieces


def mistype(text, rng):
    words = text.split(" ")
    at = max(range(len(words)), key=lambda i: len(words[i]) + rng.random())
    word = words[at]
    if len(word) < 4 or not word.isalpha():
        return text
    k = rng.randrange(1, len(word) - 1)
    word = rng.choice([word[:k] + word[k + 1:], word[:k] + word[k] + word[k:], word[:k] + word[k + 1] + word[k] + word[k + 2:],
                       word[:k] + rng.choice("abcdefghijklmnopqrstuvwxyz") + word[k + 1:]])
    return " ".join(words[:at] + [word] + words[at + 1:])


def assemble(pieces):
    """Pieces to text; mentions to character spans."""
    text, spans = "", {}
    for piece in pieces:
        part = piece.text.strip().lower()
        if not part:
            continue
        if text and not piece.glue and part[0] not in ",.;?!:":
            text += " "
        if piece.mention is not None:
            spans[piece.mention] = (len(text), len(text) + len(part))
        text += part
    return text, spans


CHAT = """what is the weather like today|tell me a joke|who won the world cup|how old are you|thank you very much|good morning|you are doing great|what is the capital of france|i am tired
|the cat sleeps on the sofa|my sister lives in berlin|hello|hi there|how are you|who are you|what is your name|i love pizza|what is two plus two|sing me a poem about rain|it was a long day|nice
|what time does the train leave|do you like music|write an essay about history|book a flight to madrid|order a pizza|call my mother|send an email to the boss|remind me to buy milk tomorrow|translate good night into spanish
|what is the meaning of life|i had eggs for breakfast|the sky is blue|how do airplanes fly|solve this equation|why is the grass green|show me pictures of cats|what day is it|i lost my keys|yes|no|maybe|ok|never mind|forget it|nothing
|that was wrong|good job|well done|stupid machine|you are a nice robot|is there life on mars|buy two tickets for the concert|what is on tv tonight|when is my next appointment|how much is a liter of milk|how tall is the eiffel tower
|read me the news|who wrote hamlet|i feel sad|the meeting was boring|our team lost again|let me think about it|i will be back in 5 minutes|the red cube is heavy|there are three cups on the table|the battery lasts 4 hours|my car is 4 meters long
|the train was 20 minutes late|i like the left one better|yesterday it was 30 degrees|the shelf is 80 cm wide|see you later|have fun|can robots dream|what is the square root of nine|how many people live in tokyo|recommend a good book
|is it going to rain|convert 5 miles to kilometers|define entropy|spell necessary|what is the stock price of apple|play chess with me|do my homework|explain quantum physics|how do i cook rice|where can i buy shoes|find me a hotel in rome
|tell me about the history of robots|i need a haircut|my back hurts|what should i wear today|who is the president|my phone number is 5551234|the wifi password is secret|we moved here two years ago|it smells like coffee|this is not what i wanted
|lorem ipsum|asdf|test test|hmm|let me see|interesting|i do not know|whatever|the project is due on monday|the gripper looks strange|the door squeaks|the lamp was expensive|i bought a new pump|my arm hurts""".replace("\n", "").split("|")
