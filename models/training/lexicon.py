"""Open vocabularies: things, places, people and texts that goals speak about.

They are wide on purpose (composed nouns, made-up words, labels, coordinates): a decoder that has to
copy what it never saw learns to copy and not to remember.
"""

import json
import re
from pathlib import Path

COLORS = """red green blue yellow orange purple pink black white grey gray brown silver golden cyan magenta turquoise beige
violet dark-blue light-green transparent""".split()
ADJECTIVES = """small big large little tiny heavy light long short round square flat empty full broken new old wooden metal plastic
glass rubber steel clean dirty open sealed soft hard wet dry left right upper lower first second third last other next nearest closest
rectangular hexagonal fragile shiny spare leftmost rightmost top bottom middle striped ceramic paper cardboard cold hot fresh""".split()
NOUNS = {
    "small": """cube ball box block cup mug bottle can pen pencil marker screwdriver wrench hammer bolt nut screw gear washer key phone
remote spoon fork knife plate bowl glass apple banana orange lemon pear sponge brush book notebook card coin die dice lego brick cylinder sphere
cone pyramid prism disc ring peg rod tube pipe jar lid cap battery sensor chip board cable charger mouse usb-stick stapler eraser ruler tape
scissors toy duck teddy doll car part workpiece sample vial flask beaker pipette dish tray syringe pill-box package parcel envelope letter carton
crate basket bag towel napkin candle lighter watch wallet glasses headphones tool bit drill file pliers clamp spring magnet bearing plug fuse
bulb relay motor wheel chess-piece pawn knight queen domino puzzle-piece token object item thing piece one egg tomato potato carrot onion bun
sandwich cookie cake croissant donut teapot kettle pan pot ladle whisk spatula""".split(),
    "any": """box pallet chair table sofa door window shelf cart trolley crate bin drawer cupboard cabinet wall plant machine robot car truck
container barrel tank panel screen conveyor rack desk lamp painting mirror cube ball person cat dog bicycle bench statue sign tree object item
target marker valve pump pipe meter gauge tire engine turbine leaf flower fence gate roof bridge mast antenna""".split(),
    "plant": """tomato basil fern orchid cactus rose tulip lettuce strawberry mint pepper cucumber rosemary lavender bonsai ficus palm ivy
sunflower daisy parsley chili thyme seedling aloe violet spinach kale lemon-tree""".split(),
    "package": """package parcel box letter order shipment crate pallet carton envelope delivery tote container sample blood-sample medicine
prescription document file folder mail tray meal lunch bag suitcase luggage""".split(),
    "food": """coffee tea espresso cappuccino latte pizza soup salad sandwich burger pasta rice bread toast cake cookie juice water milk
lemonade smoothie cocoa beer wine croissant pancake omelette fries noodles steak fish chicken yogurt ice-cream""".split(),
    "liquid": """water oil milk juice ethanol acetone solvent buffer reagent fertilizer detergent coolant paint acid glue syrup soap
saline medium dye ink brine vinegar bleach""".split(),
    "person": [],
    "topic": """weather news traffic history physics music sports stocks cooking politics football robots space dinosaurs chess""".split(),
}
PEOPLE = """anna ben carla david emma finn greta hans ines jonas kim lara max nina otto paula quentin rosa sam tina udo vera walter xenia
yusuf zoe mary john peter sarah tom alice bob charlie diana eric fatima george helen ivan julia kevin laura mike nora oscar priya robert sophie
thomas uma victor wendy ahmed chen yuki olga pierre maria jose lucia marco elena bill jack emily james olivia""".split()
ROLES = """doctor nurse patient guest visitor customer operator technician manager boss grandma grandpa mom dad mother father kid child
teacher student neighbour baby driver receptionist chef waiter gardener""".split()
ROOMS = """kitchen living-room bedroom bathroom hallway office garage basement attic lobby reception meeting-room conference-room
dining-room laundry-room workshop warehouse laboratory cafeteria library balcony terrace garden corridor entrance storage-room nursery study
lounge gym pantry server-room control-room classroom ward pharmacy kids-room guest-room cellar porch yard""".split()
SURFACES = """table shelf desk tray counter floor plate pallet bench rack cart platform workbench chair sofa bed cupboard conveyor mat
stand windowsill nightstand sideboard belt stack pile pad""".split()
CONTAINERS = """bin box basket drawer crate container bucket bag jar bowl cabinet fridge oven sink locker carton tote slot holder tube-rack
trash trash-can dishwasher cup pot freezer microwave mailbox suitcase""".split()
SPOTS = """charger charging-station dock door window entrance exit elevator stairs gate corner center pickup-point drop-off loading-dock
base origin start starting-point parking-spot checkpoint waypoint sofa machine front-door home-position middle workstation inspection-point
truck fence barn pool tree roof bridge bus-stop handover-point cell""".split()
LABELLED = """bin shelf station box slot position zone room dock point table rack bay gate aisle lane cell line spot area machine tray waypoint pose sector
room room hall ward cage pen stall deck block unit office platform hangar terminal floor door bed seat cabin kiln pier""".split()
LABELLED_ROOMS = "room room zone hall ward unit office cabin dock gate aisle".split()
RELATIONS = ["next to", "behind", "under", "in front of", "above", "near", "beside", "between the cups and", "to the left of", "to the right of",
             "left of", "right of", "on top of", "inside", "below", "over", "underneath", "close to", "by"]
SYLLABLES = "ba be bi bo da de di do fa fe ga go ka ke ki ko la le li lo lu ma me mi mo na ne no pa pe po ra re ri ro sa se si so ta te ti to va ve wa xi yo za ze zo".split()
TEXTS = """hello world|dinner is ready|the door is open|good morning everyone|i will be late today|please keep your distance|the meeting starts at noon
|happy birthday|welcome to the lab|the package has arrived|be careful|battery is low|call me back|see you tomorrow|the test is finished|lunch in five minutes
|thank you for waiting|mind the step|we are closing soon|the water is boiling|your coffee is ready|system check complete|follow me please|do not touch this
|buy milk and eggs|the train leaves at eight|someone is at the door|shift change in ten minutes|nice to meet you|run 42 is done|goodnight|all clear|i am on my way
|pick up the kids|take out the trash|the robot is moving|water the plants|turn off the oven|excuse me|have a nice day|no parking here|machine three is out of order
|please sit down|come in|it is raining|stand back|sample seven failed|ready when you are|feed the cat|your order number is twelve|we need more paper""".replace("\n", "").split("|")
SONGS = """blue moon|yesterday|bohemian rhapsody|jingle bells|moonlight sonata|imagine|hotel california|some jazz|classical music|the beatles|rock|my playlist
|the latest hits|mozart|whale sounds|rain sounds|lo-fi beats|techno|radio one|the morning show|summer hits|let it be|africa by toto|thriller""".replace("\n", "").split("|")
PROGRAMS = """eco|quick|cotton|delicate|standard|night|boost|gentle|intensive|party|reading|movie|away|vacation|calibration|test pattern|demo|cleaning
|warmup|cooldown|sequence a|recipe 4|routine two|welding 2|polish|self test|morning routine|harvest""".replace("\n", "").split("|")


SURNAMES = """smith jones tanaka okafor hollis meyer garcia lopez kowalski novak rossi dubois jansen larsen silva costa ivanov petrov khan patel singh nguyen kim
park wong chen ali hassan brown taylor wilson clark baker miller fischer weber bauer keller huber moreau bianchi santos reyes diaz cruz murphy walsh""".split()
TITLES = "mr mr. mrs mrs. ms ms. dr dr. doctor professor uncle aunt nurse captain sir lady miss".split()
PEOPLE_SEEN = """old lady|tall man|young woman|new guest|little boy|girl in the red dress|man with the hat|woman at the counter|person on the sofa|people in the lobby|first visitor|last customer
|guest at table four|patient in bed two|lady by the window|man in the blue shirt|children|kids|team|crew|everybody|everyone|family|group|tourists|students|neighbours""".replace("\n", "").split("|")
HEADS = "person person person man woman guy girl boy lady kid guest gentleman child visitor patient student someone somebody people persons men women".split()
POSES = "standing sitting seated lying waving sleeping kneeling crouching smiling waiting pointing walking crying dancing reading limping bald tall old young elderly".split()
DOING = """raising their PART|raising her PART|raising his PART|with a raised hand|holding up both hands|pointing to the SIDE|pointing SIDE|pointing at the THING|waving|waving at you|waving with both hands|sitting on the SEAT
|standing next to the THING|lying on the SEAT|leaning on the THING|talking on the phone|holding the THING|carrying a THING|carrying the THING|looking at the THING|reading a THING|who is waving|who is sitting on the SEAT|who is standing
|who is lying down|who just came in|who called|who ordered the THING|who has the THING|who is closest to the THING|closest to the THING|nearest to you|waiting for the THING|without a THING|that is smoking|with crossed arms|on the left|on the right
|with the crutches|with the beard|with glasses|with long hair|with the THING|with a dog|in a hurry|in the back|in the middle""".replace("\n", "").split("|")
GARMENTS = "shirt t-shirt coat jacket sweater dress hat cap scarf vest blouse tie uniform skirt apron hoodie helmet".split()
SUPERLATIVES = "tallest oldest youngest closest nearest first last loudest next other".split()
PARTS_OF_PLACES = "end|corner|foot|head|edge|far end|left side|right side|back|front|entrance|middle|top|door|window".split("|")
AREAS = """room hall station area corner store yard bay house shop gate ward deck office lab kitchen garden stand stall platform lane street bar desk counter shelf rack
table bin box cage pen hangar terminal court field wing lounge building warehouse cellar vault pit pier dock quarry brewery harbour market church school""".split()
STREETS = "street road lane avenue square drive".split()
_WORDS = json.loads(Path(__file__).with_name("words.json").read_text())
SENTENCES = _WORDS["texts"]
_WORDNET = _WORDS["nouns"]
_FIRST = {kind: [group[0] for group in groups] for kind, groups in _WORDNET.items()}
_VAGUE = set("object thing item article piece part goods base start point position place top old new first second side case load hold face name target content kind "
             "group stuff order source goal use end back device machine unit region address subject means material substance product entity person man woman".split())
WIDE = {"small": _FIRST["thing"], "any": _FIRST["thing"] + _FIRST["animal"], "food": _FIRST["food"], "plant": _FIRST["plant"], "liquid": _FIRST["substance"], "package": _FIRST["thing"]}
_KINDS = ({w for words in (*NOUNS.values(), *WIDE.values(), AREAS, SURFACES, CONTAINERS, LABELLED, SPOTS) for w in words} | set("zone dish drink meal plant vehicle garment sample container shelf bag car".split())) - _VAGUE


def madeup(rng):
    """A pronounceable word that no dictionary has."""
    return "".join(rng.choice(SYLLABLES) for _ in range(rng.choice([2, 2, 3]))) + rng.choice(["", "", "n", "r", "x", "l", "s", "k"])


def label(rng):
    """What follows a labelled noun: a letter, a number, both."""
    roll = rng.random()
    if roll < 0.4:
        return rng.choice("abcdefghkxyz")
    if roll < 0.75:
        return str(rng.randint(1, 9) if rng.random() < 0.6 else rng.randint(10, 120) if rng.random() < 0.6 else rng.randint(100, 999))
    if roll < 0.9:
        return rng.choice("abcdefg") + rng.choice(["", "-"]) + str(rng.randint(1, 20))
    return rng.choice("one two three four five six seven eight".split())


def coordinates(rng):
    """A point, as people write it."""
    def axis():
        n = rng.choice([rng.randint(-3, 9), round(rng.uniform(-2, 3), 1), round(rng.uniform(-2, 3), 2), rng.randint(0, 90) * 5])
        return str(n)
    parts = [axis() for _ in range(rng.choice([2, 3, 3, 3]))]
    opening, closing = rng.choice([("(", ")"), ("(", ")"), ("(", ")"), ("[", "]")])
    return opening + rng.choice([", ", ", ", ","]).join(parts) + closing


def article(noun, rng):
    """`noun` behind a determiner: (determiner, noun)."""
    roll = rng.random()
    if roll < 0.62:
        return "the"
    if roll < 0.78:
        return "an" if noun[0] in "aeiou" else "a"
    if roll < 0.90:
        return rng.choice(["my", "that", "this", "your", "our", "this", "that"])
    return ""


def spaced(word, rng):
    """Compound nouns are written with a space more often than with a hyphen."""
    return word.replace("-", " ") if rng.random() < 0.85 else word


def _plural(noun):
    return noun[:-1] + "ies" if noun.endswith("y") and noun[-2:-1] not in "aeiou" else noun + ("es" if noun.endswith(("s", "x", "ch", "sh")) else "s")


def noun_phrase(kind, rng):
    """A thing without its determiner: `small red cube`."""
    if kind == "person":
        return rng.choice(PEOPLE)
    nouns = NOUNS.get(kind) or NOUNS["small"]
    if kind in WIDE and rng.random() < 0.45:
        nouns = WIDE[kind]
    roll = rng.random()
    if roll < 0.10:
        noun = madeup(rng)
    elif roll < 0.15:
        noun = madeup(rng) + " " + rng.choice(nouns)
    elif roll < 0.29:
        noun = rng.choice(nouns if rng.random() < 0.5 else WIDE["any"]) + " " + rng.choice(nouns)
    elif roll < 0.31:
        noun = f"{rng.choice(nouns)} of {rng.choice(NOUNS['food'] + NOUNS['liquid'] + NOUNS['small'])}"
    elif roll < 0.33:
        noun = f"{rng.choice(PEOPLE)}'s {rng.choice(nouns)}"
    elif roll < 0.345:
        return spaced(f"{rng.choice(nouns)} of the {rng.choice(ROOMS + AREAS)}", rng)
    else:
        noun = rng.choice(nouns)
    noun = spaced(noun, rng)
    roll = rng.random()
    if roll < 0.24:
        noun = rng.choice(COLORS) + " " + noun
    elif roll < 0.42:
        noun = rng.choice(ADJECTIVES) + " " + noun
    elif roll < 0.47:
        noun = rng.choice(ADJECTIVES) + " " + rng.choice(COLORS) + " " + noun
    elif roll < 0.56:
        noun = noun + " " + label(rng)
    return noun


def _person(rng):
    """(determiner, mention) of somebody."""
    roll = rng.random()
    if roll < 0.2:
        return rng.choice(["the", "the", "my", "our"]), rng.choice(ROLES)
    if roll < 0.26:
        return "the", rng.choice(PEOPLE_SEEN)
    if roll < 0.4:
        return described(rng)
    if roll < 0.5:
        return "", f"{rng.choice(TITLES)} {rng.choice(SURNAMES)}"
    if roll < 0.54:
        return "", f"{rng.choice(PEOPLE)} {rng.choice(SURNAMES)}"
    return "", rng.choice(PEOPLE)


def described(rng):
    """(determiner, mention) of somebody by what can be seen: `woman in the red coat`, `person raising their left arm`."""
    head = rng.choice(HEADS)
    many = head in ("people", "persons", "men", "women")
    determiner = "" if head.startswith("some") else rng.choice(["the", "the", "the", "the", "those" if many else "that", "all the" if many else "a"])
    roll = rng.random()
    if roll < 0.18 and determiner:
        return determiner, f"{rng.choice(POSES)} {head}"
    if roll < 0.26 and determiner:
        return "the", f"{rng.choice(SUPERLATIVES)} {head}"
    if roll < 0.55:
        garment = rng.choice(GARMENTS)
        color = rng.choice(COLORS) + " " if rng.random() < 0.85 else ""
        if rng.random() < 0.15:
            return determiner, f"{head} {rng.choice(['wearing', 'in', 'with', 'dressed in'])} {color}{_plural(garment)}"
        before = rng.choice(["wearing a", "wearing the", "in a", "in the", "with the", "with a", "wearing", "who wears a", "that is wearing a"])
        return determiner, f"{head} {before}{'n' if before[-2:] == ' a' and (color + garment)[0] in 'aeiou' else ''} {color}{garment}"
    doing = rng.choice(DOING).replace("PART", rng.choice(["left arm", "right arm", "hand", "left hand", "right hand", "arms"])).replace("SIDE", rng.choice(["left", "right"]))
    doing = doing.replace("SEAT", rng.choice("sofa couch chair bed floor bench armchair stool".split())).replace("THING", rng.choice(NOUNS["small"] + NOUNS["any"]))
    return determiner, spaced(f"{head} {doing}", rng)


def kind_of(name):
    """The kind of thing that a parameter's name tells, such as `log`, or None where it tells none, such as `object`."""
    word = name.split()[-1] if name else ""
    return word if word in _KINDS else None


def one_of(kind, rng):
    """One of a kind, named after it: `oak log`, `log 7`, `second red log`."""
    roll = rng.random()
    if roll < 0.3:
        return f"{rng.choice(ADJECTIVES + COLORS)} {kind}"
    if roll < 0.55:
        return spaced(f"{rng.choice(rng.choice([WIDE['any'], WIDE['food'], WIDE['plant'], WIDE['liquid']]))} {kind}", rng)
    if roll < 0.72:
        return f"{kind} {label(rng)}"
    if roll < 0.8:
        return f"{rng.choice(ADJECTIVES + COLORS)} {spaced(rng.choice(WIDE['any'] + WIDE['plant']), rng)} {kind}"
    if roll < 0.86:
        return f"{madeup(rng)} {kind}" if rng.random() < 0.5 else f"{rng.choice(PEOPLE)}'s {kind}"
    if roll < 0.93:
        return _plural(rng.choice(["", rng.choice(ADJECTIVES + COLORS) + " ", spaced(rng.choice(WIDE["any"] + WIDE["plant"]), rng) + " "]) + kind)
    return f"{rng.choice(['first', 'second', 'third', 'last', 'next', 'other', 'left', 'right', 'upper', 'lower'])} {kind}"


def entity(kind, rng, postmodified=True):
    """An entity mention: (determiner, mention); of the kind `of:log`, most are named after it."""
    if kind.startswith("of:"):
        if rng.random() < 0.6:
            noun = one_of(kind[3:], rng)
            return ("" if noun.endswith(tuple("0123456789")) and rng.random() < 0.7 else article(noun, rng)), noun
        kind = rng.choice(["any", "small", "plant", "food"])
    if kind == "person":
        return _person(rng)
    if kind in ("any", "plant") and rng.random() < 0.06:
        return "", rng.choice(PEOPLE)
    noun = noun_phrase(kind, rng)
    if rng.random() < 0.11:
        many = rng.choice(["all the", "both", "all", "every", "two", "three", "some", "the", "the", "the", "the", "these", "those", "", "", ""])
        if many in ("all the", "both", "all", "two", "three"):      # how many is a part of what is meant, as in the families' own examples
            return "", f"{many} {_plural(noun)}"
        return ("", f"every {noun}") if many == "every" else (many, _plural(noun))
    determiner = article(noun, rng)
    if postmodified and rng.random() < 0.14:
        preposition, _, where = place("surface" if rng.random() < 0.7 else "spot", rng)
        where = f"at {where}" if preposition else where
        noun += " " + rng.choice([
            f"on the {rng.choice(SURFACES)}", f"in the {rng.choice(CONTAINERS)}", f"next to the {rng.choice(NOUNS['small'])}",
            f"with the {rng.choice(NOUNS['small'])}", f"at {coordinates(rng)}", f"that is on the {rng.choice(SURFACES)}",
            where, f"behind the {rng.choice(NOUNS['any'])}", f"to the left of the {rng.choice(NOUNS['small'])}",
            f"at position {coordinates(rng)}", "on the left", "on the right", f"labelled {label(rng)}", "over there"]).replace("-", " ")
    return determiner, noun


def place(kind, rng):
    """A place mention: (preposition of rest, determiner, mention); relations and deictics carry their own preposition."""
    roll = rng.random()
    if roll < 0.10:
        return "at", "", coordinates(rng)
    if roll < 0.30:
        noun = rng.choice(LABELLED_ROOMS if kind == "room" else LABELLED)
        return ("in" if noun in ("bin", "box", "slot", "room", "zone", "cell") else "on" if noun in ("shelf", "table", "tray", "rack") else "at"), "", f"{noun} {label(rng)}"
    if roll < 0.38:
        relation = rng.choice(RELATIONS)
        return "", "", f"{relation} {rng.choice(['the', 'the', 'a', 'my'])} {noun_phrase('small' if rng.random() < 0.6 else 'any', rng)}"
    if roll < 0.42:
        return "", "", rng.choice(["there", "here", "over there", "outside", "upstairs", "downstairs"])
    if roll < 0.45:
        return "to", "", madeup(rng)
    if roll < 0.47:
        return "at", "", f"{rng.randint(1, 120)} {rng.choice(SURNAMES + COLORS + _FIRST['object'])} {rng.choice(STREETS)}"
    if roll < 0.59:
        noun = f"{rng.choice(WIDE['any'] + WIDE['food'] + ADJECTIVES)} {rng.choice(AREAS)}" if rng.random() < 0.6 else rng.choice(WIDE["any"] + AREAS)
        noun += " " + label(rng) if rng.random() < 0.15 else ""
        return rng.choice(["in", "at", "on"]), rng.choice(["the", "the", "the", "the", ""]), spaced(noun, rng)
    if kind == "room":
        noun = rng.choice(ROOMS if rng.random() < 0.8 else SPOTS)
        preposition = "in"
    elif kind == "spot":
        noun = rng.choice(rng.choice([SPOTS, SPOTS, ROOMS, SURFACES]))
        preposition = "at"
    else:
        on = rng.random() < 0.5
        noun = rng.choice(SURFACES if on else CONTAINERS)
        preposition = "on" if on else "in"
    noun = spaced(noun, rng)
    if rng.random() < 0.22:
        noun = rng.choice(COLORS + ADJECTIVES) + " " + noun
    roll = rng.random()
    if roll < 0.07:
        noun = f"{rng.choice(PARTS_OF_PLACES)} of the {noun}"
    elif roll < 0.13:
        noun += f" {rng.choice(RELATIONS)} the {rng.choice(rng.choice([SPOTS, SURFACES, NOUNS['small'], NOUNS['any']]))}".replace("-", " ")
    elif roll < 0.16 and kind != "room":
        noun += f" in the {rng.choice(ROOMS)}".replace("-", " ")
    determiner = "the" if rng.random() < 0.85 else rng.choice(["my", "your", "our", "that", "an" if noun[0] in "aeiou" else "a"])
    return preposition, determiner, noun


DETERMINERS = set("the a an my your our his her their some this that these those".split())


def natural(text):
    """`text` as a family's `like` line has it: (preposition of rest, determiner, mention)."""
    words = text.lower().split()
    relation = words[1:2] in (["front"], ["top"]) or re.match("to the (left|right) of", text)
    preposition = words.pop(0) if words[0] in ("in", "on", "at", "to") and len(words) > 1 and not relation else ""
    determiner = words.pop(0) if words[0] in DETERMINERS and len(words) > 1 else ""
    return preposition, determiner, " ".join(words)


def named(text):
    """What a name is without its article: (determiner, name)."""
    first, _, rest = text.partition(" ")
    return (first, rest) if first in ("the", "a", "an") and rest else ("", text)


LEADING = re.compile(r"(?!in front of|on top of|to the (?:left|right) of)(?:(?:to|in|into|on|onto|at|from|with|by) )?(?:(?:the|a|an) (?!bit\b|little\b|few\b|couple\b|lot\b))?(?=\S)")


def led(text):
    """A name as a text has it: what leads to it (`on the`, `at`), and the name."""
    found = LEADING.match(text)
    lead = found[0] if found else ""
    return lead.strip(), text[len(lead):]


def free_text(kind, rng):
    """A text argument."""
    if kind in ("song", "program", "name", "topic") and rng.random() < 0.3:
        return f"{rng.choice(ADJECTIVES + WIDE['any'])} {rng.choice(WIDE['any'] + WIDE['food'] + PEOPLE)}"
    if kind == "song":
        return rng.choice(SONGS)
    if kind == "program":
        return rng.choice(PROGRAMS)
    if kind == "name":
        return rng.choice([madeup(rng), rng.choice(PEOPLE), f"{rng.choice(NOUNS['small'])} {label(rng)}", f"run {rng.randint(1, 99)}"])
    if kind == "clock":
        hour = rng.randint(1, 12)
        return rng.choice([f"{hour}:{rng.choice(['00', '15', '30', '45', '10', '05'])}", f"{hour} {rng.choice(['am', 'pm'])}", f"{hour}{rng.choice(['am', 'pm'])}", f"{hour} o'clock",
                           f"half past {hour}", "noon", "midnight", f"{hour}:30 {rng.choice(['am', 'pm'])}", f"{rng.randint(13, 23)}:{rng.choice(['00', '20', '40'])}"])
    if kind == "sky":
        return rng.choice(["jupiter", "saturn", "the moon", "mars", "the andromeda galaxy", "m31", "ngc 7000", "the orion nebula", "vega", "sirius", "the pleiades", "m42", "betelgeuse"])
    if kind == "topic":
        return rng.choice(NOUNS["topic"] + PROGRAMS)
    if rng.random() < 0.4:
        return rng.choice(SENTENCES)
    if rng.random() < 0.4:
        pool = NOUNS["small"] + NOUNS["any"] + ADJECTIVES + PEOPLE + ROOMS + "is was the a and we need now please at with for today".split() * 4
        return " ".join(rng.choice(pool) for _ in range(rng.randint(1, 6)))
    return rng.choice(TEXTS)
