"""Patterns of command that any device may have, over any noun: choose, count, dose, run a number, raise and lower ...

Where `invent.py` couples words at random, a pattern here couples what a tool's line says with the many other
ways in which people say it: "choose the kind of tile" is also "use red tiles", "red tile please", "make it red".
"""

import lexicon
import phrases
from families import Param, Say, Tool

# Words that mean nearly the same when a machine is told to do something.
SYNONYMS = [group.split("|") for group in """raise|lift|hoist|bring up|pull up|put up|elevate;lower|let down|bring down|take down|drop
start|begin|launch|kick off|set off|initiate;stop|end|halt|cancel|abort|quit;show|display|present|bring up|put up;hide|cover|conceal|put away
make|form|create|produce|prepare|build;cut|slice|carve|chop|score;spread|brush|smear|coat|apply;search|scan|look for|hunt for|seek
send|transmit|forward|pass on|dispatch;shoot|fire|launch|set off|send up;pull|drag|tow|haul|draw;push|shove|press|thrust
give|hand out|provide|supply|issue;take|grab|get|pick|collect|fetch;throw away|discard|get rid of|dispose of|dump|trash
choose|select|pick|use|switch to;change|alter|swap|replace|exchange;fasten|attach|fix|mount|clip|staple;remove|detach|take off|strip|pull off
clean|wash|wipe|rinse|scrub;dry|wipe dry|blow dry;fill|top up|load|stock;empty|clear|unload|drain;check|inspect|examine|look at|have a look at|take a look at
measure|read|determine|find out;tell|report|say|announce|let me know;warn|alert|notify;call|ring|contact|reach;greet|welcome|say hello to;mark|label|tag|flag
count|tally|number;sort|arrange|order|organize;store|keep|save|stow|put away;find|locate|track down|discover;open|unseal|uncover;close|shut|seal
heat|warm|warm up;cool|chill|cool down;mix|stir|blend|combine;press|squeeze|compress;turn|rotate|spin|twist;shake|rattle|agitate;move|shift|carry|transfer
watch|observe|monitor|keep an eye on;guard|protect|secure;repair|fix|mend;test|try|check|verify;print|make a print of|put on paper;copy|duplicate|make a copy of
play|run|perform|put on;record|tape|capture|log;point|aim|direct|train;follow|trail|track;dive|go down|sink|submerge;rise|come up|go up|surface|ascend
feed|nourish|give food to;water|irrigate|sprinkle;plant|sow|put in;harvest|gather|bring in|extract;grind|mill|crush;fold|bend|crease;wrap|pack|package
light|illuminate|light up;dim|darken|fade;flash|blink|light up;sound|ring|blow|set off;wake|rouse;calm|soothe|settle;steer|head|navigate|sail;connect|link|join|pair
disconnect|unlink|separate;lock|bolt|bar|secure;unlock|unbolt|free;free|release|let go;catch|trap|capture;increase|boost|push up;reduce|cut|bring down
transfer|move|shift|send over;deliver|bring|hand over;order|buy|get|purchase;book|reserve;pay|settle;schedule|plan|fix;postpone|delay|put off;skip|jump over|leave out
repeat|do again|redo|run again;undo|take back|revert;slice|cut up;toast|brown|grill;serve|dish up|bring out;draw|sketch|paint;write|put down|note|jot down""".replace("\n", ";").split(";")]
THINGS = """tile brick panel page sheet card ticket stamp poster scroll loaf muffin bagel pretzel cookie dumpling noodle barrel crate bottle vial capsule pill bandage
splint needle thread button zipper ribbon bow arrow spear shield helmet banner flag tent torch candle lantern balloon kite ball racket goal puck club ski sled boat canoe
raft paddle oar buoy anchor hook bait worm bee hen goose sheep goat pony camel parrot turtle frog lizard cave tunnel bridge tower gate wall moat well mill wheel
wagon coach carriage sleigh engine boiler valve whistle bell gong drum flute harp fiddle record tape reel slide lens frame canvas brush palette clay pot vase bowl
crown ring necklace watch chain coin note bill check letter parcel book novel chapter verse poem song hymn anthem tune chord scene act actor dancer clown juggler
magician acrobat lion tiger elephant bear seal penguin dolphin whale shark crab shrimp oyster clam mussel pearl coral reef island beach dune desert oasis palm jungle
swamp river lake waterfall spring glacier iceberg snow hail fog storm cloud rainbow star planet comet signal code message report chart map plan draft model sample""".split()
CHANNELS = "color size shape kind style mode pattern material flavor theme format quality side position shape grade pace season route channel layer language voice mood speed level".split()
STATES = [("raised|up|raise|lift|bring up|pull up|put up", "lowered|down|lower|let down|bring down|drop"), ("open|opened|open|open up|uncover", "closed|shut|close|shut|cover"),
          ("on|active|start|turn on|switch on|activate", "off|inactive|stop|turn off|switch off|deactivate"), ("locked|secured|lock|secure|bolt", "unlocked|free|unlock|release|free"),
          ("in|inserted|insert|put in|push in", "out|removed|remove|take out|pull out"), ("folded|closed|fold|fold up|collapse", "unfolded|open|unfold|spread out|open out"),
          ("full|loaded|load|fill", "empty|cleared|unload|empty|clear"), ("shown|visible|show|display|bring out", "hidden|invisible|hide|cover|put away"),
          ("armed|active|arm|activate|enable", "disarmed|inactive|disarm|deactivate|disable"), ("tight|fixed|tighten|fasten|fix", "loose|free|loosen|unfasten|free")]
MORE_OPTIONS = """single double both left right top bottom front back inside outside red blue green white black yellow round square long short wide narrow tall flat thick thin
small medium large big tiny huge plain fancy light dark bright soft hard cross line star heart leaf dot spiral wave forest castle city desert ocean meadow village space
morning noon evening night monday tuesday friday weekend winter summer spring autumn english german french spanish cotton wool silk linen wood metal glass stone paper
vanilla lemon cherry mint honey salt pepper sweet sour mild spicy classic modern jazz rock waltz tango slow normal fast quick careful express standard premium basic
a3 a4 letter portrait landscape color gray mono stereo low mid high draft final rare well-done raw crispy alto tenor bass soprano king queen rook""".split()
QUANTITIES = {"duration": ["for {q}", "{q} long", "for {q}"], "length": ["to {q}", "by {q}", "{q} far", "at {q}", "within {q}"], "temperature": ["to {q}", "at {q}"],
              "angle": ["by {q}", "to {q}", "at {q}"], "ratio": ["to {q}", "at {q}", "by {q}"], "volume": ["with {q}", "of {q}"], "mass": ["with {q}", "of {q}"], "speed": ["at {q}", "to {q}"]}


def _noun(rng):
    word = lexicon.madeup(rng) if rng.random() < 0.15 else rng.choice(THINGS)
    return rng.choice(THINGS) + " " + word if rng.random() < 0.15 else word


def _plural(noun):
    return noun + ("es" if noun.endswith(("s", "x", "ch", "sh")) else "s")


def _say(text, imperative=True):
    tree = phrases.parse(text)
    return Say(tree, {}, imperative, phrases.slots_of(tree))


def _verbs(rng):
    """A word for the tool's line and the words people may use for it."""
    group = rng.choice(SYNONYMS)
    return rng.choice(group), "[" + "|".join(group) + "]"


def choice(tool, noun, rng):
    channel = rng.choice(CHANNELS)
    param = Param("k", "enum", names=[channel, "kind", "which", "to", noun])
    param.option_sets = [rng.sample(MORE_OPTIONS, rng.randint(2, 5))]
    verb = rng.choice(["choose", "select", "set", "change", "pick"])
    tool.names = [f"{noun} {channel}", f"set {noun}", f"{noun}", f"{channel}"]
    tool.does = [f"{verb} the {channel} of the {noun}", f"{verb} the {noun} {channel}", f"{verb} which {noun} to use", f"use a {noun} of some {channel}"]
    tool.params = [param]
    tool.says = [_say(f"[use|take|choose|select|pick|put on|show|switch to|change to|go for|give me|get|set up] [the|a|] {{k}} {noun} | [set|change|switch|turn] the {noun} (|{channel}) to {{k}} | make the {noun} {{k}}"
                      f" | [set|change] the {channel} of the {noun} to {{k}} | [use|choose] {{k}} for the {noun} | change the {noun} {channel}"),
                 _say(f"{{k}} {noun} please | [we|i] [need|want] [the|a|] {{k}} {noun} | {noun} {{k}} | the {noun} should be {{k}}", False)]


def count(tool, noun, rng):
    word, words = _verbs(rng)
    things = _plural(noun)
    param = Param("q", "integer", None, 2, 60, names=["count", "number", things, "pieces", "n", "how many"])
    tool.names = [f"{word} {things}", things, word, f"{noun} count"]
    tool.does = [f"{word} a number of {things}", f"{word} some {things}", f"{word} {things}"]
    tool.params = [param]
    tool.says = [_say(f"{words} {{q}} {things} | {words} {{q}} (more|of the|new|fresh) {things} | [give me|get me|i want you to {word}] {{q}} {things} | {words} [some|the|] {things}"),
                 _say(f"{{q}} {things} please | [i|we] need {{q}} {things} | {{q}} (more) {things}", False)]
    if rng.random() < 0.4:
        _add_option(tool, noun, things, words, rng)


def _add_option(tool, noun, things, words, rng):
    """Count and kind together: "form six round loaves"."""
    kind = Param("k", "enum", names=["kind", "shape", "color", "type", "style"])
    kind.option_sets = [rng.sample(MORE_OPTIONS, rng.randint(2, 4))]
    tool.params = [kind, tool.params[0]] if rng.random() < 0.5 else [tool.params[0], kind]
    tool.does = [d + " of a kind" for d in tool.does]
    tool.says = [_say(f"{words} {{q}} {{k}} {things}"), _say(f"{{q}} {{k}} {things} please | [i|we] need {{q}} {{k}} {things} | {{q}} {things}, {{k}}", False)]


def amount(tool, noun, rng):
    word, words = _verbs(rng)
    kind = rng.choice(list(QUANTITIES))
    tail = rng.choice(QUANTITIES[kind])
    param = Param("q", kind, names=[kind, "amount", "value", "to", "level"])
    tool.names = [f"{word} {noun}", noun, word, f"{noun} {kind}"]
    tool.does = [f"{word} the {noun} {dict(duration='for some time', length='to a distance', temperature='to a temperature', angle='by an angle', ratio='to a share', volume='with a volume', mass='with a mass', speed='at a speed')[kind]}",
                 f"{word} some {noun}; set the {kind}", f"set the {kind} of the {noun}"]
    tool.params = [param]
    tool.says = [_say(f"{words} [the|the|some|] {noun} {tail} | {words} the {noun} | [set|bring|get|put] the {noun} to {{q}} | give [me|us|them|it] {{q}} of {noun} | {words} {{q}} of {noun}"),
                 _say(f"{{q}} of {noun} (please) | {noun} [to|at|for|] {{q}} | {noun}, {{q}} | [we|i] need {{q}} of {noun}", False)]


def numbered(tool, noun, rng):
    word, words = _verbs(rng)
    tool.names = [f"{word} {noun}", noun, word, f"{noun} number"]
    tool.does = [f"{word} a {noun} by its number", f"{word} the {noun} with a number", f"{word} one {noun}"]
    tool.params = [Param("q", "integer", None, 1, 99, names=["number", noun, "index", "which", "id", "n"])]
    tool.says = [_say(f"{words} {noun} {{q}} | {words} (the) {noun} number {{q}} | {words} [the|a] {noun} | go to {noun} {{q}}"), _say(f"{noun} {{q}} (please) | {noun} number {{q}} | next is {noun} {{q}}", False)]


def state(tool, noun, rng):
    pair = [s.split("|") for s in rng.choice(STATES)]
    k = int(rng.random() < 0.4)
    options = [side[k] for side in pair]
    param = Param("k", "enum", names=["state", "position", "to", "action"])
    param.option_sets = [options if rng.random() < 0.8 else [side[2] for side in pair]]
    a, b = pair[0][2], pair[1][2]
    tool.names = [f"{noun}", f"set {noun}", f"{noun} state", f"{a} {noun}", f"control {noun}"]
    tool.does = [f"{a} or {b} the {noun}", f"{b} or {a} the {noun}", f"set the {noun} {options[0]} or {options[1]}"]
    tool.params = [param]
    for i, side in enumerate(pair):
        particle = [v.rsplit(" ", 1) for v in side[2:] if " " in v]
        text = f"[{'|'.join(side[2:])}] [the|the|my|this|] {noun}"
        if particle:
            text += " | " + " | ".join(f"{v} the {noun} {p}" for v, p in particle)
        imperative = _say(text)
        stated = _say(f"the {noun} should be [{side[0]}|{side[1]}] | [i want|get|have|make sure] the {noun} [{side[0]}|{side[1]}] | {noun} [{side[0]}|{side[1]}]", False)
        for say in (imperative, stated):
            say.fixed = {"k": i}
        tool.says += [imperative, stated]


def thing(tool, noun, rng):
    """A verb and what it is done to, as the only argument."""
    word, words = _verbs(rng)
    kind, detail, called = rng.choice([("entity", "small", "a thing"), ("entity", "any", "something"), ("entity", "person", "a person"), ("text", "name", "something by its name"),
                                       ("entity", "package", "an item"), ("place", "room", "a place"), ("entity", "food", "a product"), ("entity", "plant", "a plant")])
    tool.names = [word, f"{word} {noun}", f"{word} it", f"{noun}"]
    tail = rng.choice(["", "", f" with the {noun}"])
    tool.does = [f"{word} {called}{tail}", f"{word} {called}{tail} for the user"]
    names = {"person": ["person", "who", "whom"], "room": ["place", "where"]}.get(detail, ["object", "what", "target", "item", "which"])
    tool.params = [Param("v", kind, detail, names=names)]
    tool.says = [_say(f"{words} [|the ]{{v}}{tail} | {words} {{v}}" if kind == "text" else f"{words} {{v}}{tail} | {words} {{v}}")]


def sent(tool, noun, rng):
    """Something said or sent to somebody."""
    word, words = _verbs(rng)
    tool.names = [f"{word} {noun}", f"send {noun}", noun, f"{noun} to"]
    tool.does = [f"send a {noun} with a text to somebody", f"tell somebody a text by {noun}", f"give a person a {noun} with a message"]
    tool.params = [Param("p", "entity", "person", names=["person", "to", "who", "recipient"]), Param("v", "text", "speech", names=["text", "message", "what"])]
    tool.says = [_say(f"[tell|inform|warn|alert|notify|let] {{p}} [that|] {{v}} | [send|give|write] {{p}} a {noun} [saying|that says|that] {{v}} | send a {noun} to {{p}} saying {{v}} | [tell|warn|send a {noun} to] {{p}}")]


def bare(tool, noun, rng):
    word, words = _verbs(rng)
    tool.names = [f"{word} {noun}", f"{noun} {word}", word, noun]
    tool.does = [f"{word} the {noun}", f"{word} a {noun}", f"{word} the {noun} at once"]
    tool.says = [_say(f"{words} [the|the|a|that|this|] {noun} | {words} your {noun}"), _say(f"{noun} please | time to {word} the {noun} | the {noun} now", False)]


def asked(tool, noun, rng):
    tool.names = [f"{noun} left", f"{noun} status", f"check {noun}", f"how much {noun}", "report", f"{noun} level"]
    about = rng.choice([("how much {n} is left", "how much {n} [is left|is there|do we have (left)] | is there [enough|any] {n} (left) | do we [still|] have [enough|any|] {n} | are we out of {n}"),
                        ("the weight of the {n}", "how [heavy is the {n}|much does the {n} weigh] | what does the {n} weigh | what is the weight of the {n}"),
                        ("the state of the {n}", "how is the {n} (doing) | what is the state of the {n} | is the {n} [ok|fine|ready|working|done] | what about the {n}"),
                        ("where the {n} is", "where is the {n} | in which place is the {n} | where did the {n} go"),
                        ("the number of {n}s", "how many {n}s [are there|do we have|are left] | what is the number of {n}s")])
    what = about[0].replace("{n}", noun)
    tool.does = [f"{rng.choice(['tell', 'report', 'check', 'show'])} {what}", f"tell {what}"]
    tool.says = [_say(f"[tell me|check|report|show me|find out|let me know] {what} | check the {noun}"), _say(about[1].replace("{n}", noun), False)]


def _measured(noun, words, word, rng):
    kind = rng.choice(list(QUANTITIES))
    tail, channel = rng.choice(QUANTITIES[kind]), rng.choice([kind, kind, *CHANNELS])
    param = Param("q", kind, optional=rng.random() < 0.15, names=[kind, "amount", "value", "to", channel])
    imperative = [f"{words} {{v}} {tail}", f"{words} {{v}} {tail}", "[set|bring|take|turn|put|get] {v} to {q}", f"[set|change|adjust] the {channel} of {{v}} to {{q}}", "give {v} {q}", f"change the {channel} of {{v}}"]
    stated = ["{v} [to|at|,] {q}", f"{{v}} {tail}", "{v} [needs|gets|should be at|wants] {q}", "{q} for {v}"]
    return [param], f"{word} a {noun} {tail.replace('{q}', 'some ' + kind)}|set the {kind} of a {noun}|{word} a {noun}; {channel} in {kind}", imperative, stated


def _optioned(noun, words, word, rng):
    channel = rng.choice(CHANNELS)
    param = Param("k", "enum", names=[channel, "kind", "as", "to", "state"])
    param.option_sets = [rng.sample(MORE_OPTIONS, rng.randint(2, 5))]
    imperative = ["[set|put|switch|turn|change] {v} to {k}", "make {v} {k}", f"{words} {{v}} [as|to|in] {{k}}", f"[set|change] the {channel} of {{v}} to {{k}}", f"[use|take] {{k}} for {{v}}", f"{words} {{v}}"]
    stated = ["{v} {k}", "{v} [should be|is|goes to|as] {k}", "{k} for {v}", "i want {v} {k}"]
    return [param], f"{word} a {noun} in some {channel}|set the {channel} of a {noun}|choose the {channel} for a {noun}", imperative, stated


def _placed(noun, words, word, rng):
    param = Param("w", "place", rng.choice(["room", "surface", "spot"]), names=["place", "where", "to", "destination", "spot", rng.choice(lexicon.AREAS)])
    imperative = ["[take|bring|move|put|carry|get|send|transfer] {v} {>w}", "[take|bring|move|put|carry|get|send|transfer] {v} {>w}", f"{words} {{v}} {{@w}}", f"{words} {{v}} {{>w}}", "[put|place|leave|set|park] {v} {@w}", "{>w} with {v}"]
    stated = ["{v} [goes|go|belongs|should go|has to go|can go|is to go] {>w}", "{v} {>w}", "[i|we] [want|need|would like] {v} {@w}", "{v} [should be|must be] {@w}", "[they|we] need {v} {@w}"]
    return [param], f"bring a {noun} somewhere|put a {noun} in its place|take a {noun} to a place|move a {noun} to a place", imperative, stated


def _applied(noun, words, word, rng):
    """A deed with a second thing, such as a remedy, a tool or a part, and sometimes how much of it."""
    param = Param("w", "entity", rng.choice(["liquid", "small", "food", "any"]), names=["with", "what", "material", "substance", "tool", "means"])
    params = [param]
    imperative = [f"{words} {{v}} with {{w}}", f"{words} {{v}} using {{w}}", "[give|feed|hand|get] {v} {w}", "[put|use|apply] {w} [on|for] {v}", "[give|add] {w} to {v}", "treat {v} with {w}"]
    stated = ["{w} for {v}", "{v} [needs|gets|has to get|should get|wants] {w}", "{v} with {w}"]
    if rng.random() < 0.4:
        kind = rng.choice(["mass", "volume", "integer", "duration"])
        params.append(Param("q", kind, optional=True, names=["amount", "how much", kind, "dose"]))
        of = "for {q}" if kind == "duration" else "{q} {w}" if kind == "integer" else "{q} of {w}"
        more = [f"{words} {{v}} with {{w}} {of}", f"give {{v}} {{w}} {of}"] if kind == "duration" else [f"[give|feed] {{v}} {of}", f"{words} {{v}} with {of}", f"[put|add] {of} [on|to] {{v}}"]
        imperative += more
        stated += [] if kind == "duration" else [f"{of} for {{v}}", f"{{v}} [needs|gets] {of}"]
    return params, f"{word} a {noun} with something|apply something to a {noun}|give a {noun} something", imperative, stated


def _worded(noun, words, word, rng):
    param = Param("w", "text", rng.choice(["name", "speech", "topic"]), names=["text", "name", "note", "label", "message", "words"])
    imperative = ["[write|note|put|enter] {w} [on|for|about] {v}", "[name|call|label|mark|tag] {v} {w}", f"{words} {{v}} as {{w}}", "[write|put|note] [on|for] {v}: {w}"]
    stated = ["{v}: {w}", "note for {v}: {w}", "{v} is called {w}"]
    return [param], f"write a text about a {noun}|name a {noun}|{word} a {noun} under a name", imperative, stated


def handled(tool, noun, rng):
    """A deed done to one of a kind and something else beside it: how much, which way, where to, with what. The kind's own noun
    names the parameter, and the things are named after their kind: "the big oak log", "log 7"."""
    word, words = _verbs(rng)
    thing = Param("v", "entity", f"of:{noun}", names=[noun, noun, noun, "which", "what", "object", "item", f"{noun} name"])
    roll = rng.random()
    if roll < 0.2:
        tool.names = [f"{word} {noun}", word, f"{noun} {word}"]
        tool.does = [f"{word} a {noun}", f"{word} one of the {_plural(noun)}", f"{word} the {noun} that is named"]
        tool.params = [thing]
        tool.says = [_say(f"{words} {{v}} | {words} {{v}} | {words} {{v}} please | [let us|go and] {word} {{v}}"), _say(f"{{v}} is next, {word} it | the next one is {{v}}, {word} it | {{v}} [should be|has to be|must be] [taken care of|done]", False)]
        return
    params, does, imperative, stated = rng.choice([_measured, _optioned, _placed, _applied, _worded])(noun, words, word, rng)
    tool.names = [f"{word} {noun}", word, f"{noun} {params[0].names[0]}", f"{noun} {word}"]
    tool.does = does.split("|")
    tool.params = [thing, *params]
    if rng.random() < 0.25:
        tool.params = [*params, thing]
    tool.says = [_say(" | ".join(imperative)), _say(" | ".join(stated), False)]


SHAPES = [handled] * 7 + [choice, choice, count, amount, amount, numbered, state, state, thing, thing, sent, bare, asked]


def tools(rng):
    """Two to seven tools over as many nouns."""
    out = []
    for i in range(rng.randint(2, 7)):
        noun = _noun(rng)
        tool = Tool("pattern", f"t{i}", f"pattern {noun} {i}")
        rng.choice(SHAPES)(tool, noun, rng)
        out.append((noun, tool))
    return out
