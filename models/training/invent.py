"""Families nobody wrote: verbs, nouns, options and parameters put together at random.

What they ask for makes little sense, and that is their use: a tool can then only be found by reading its
line, an option only by reading the list it stands in. The written families teach what words mean; these
teach to look.
"""

import lexicon
import meanings
import patterns
import phrases
import situations
from families import Family, Param, Say, Tool

VERBS = """polish tune inspect wrap paint stretch fold roast sharpen test pack unpack sort bind carve lubricate inflate deflate ventilate charge
balance align calibrate compress expand sample rinse dip coat seal tag stamp mark trim prune rake sift filter toast chill freeze thaw melt steam
simmer whip slice peel season taste broadcast mute tune record replay archive delete copy rename encrypt upload sync render compile deploy
probe sweep trace sketch engrave weld solder rivet hammer sand varnish glue staple knit sew iron starch bleach mow dig bury lift tilt rock
swing bounce flip toss catch launch anchor moor steer tow haul hoist unload dock undock hail greet escort pet groom brush feed walk train
vaccinate scan decode verify approve reject mix shuffle deal score rank count split merge stack unstack label weigh measure pressurize
evacuate ignite quench dim flash blink pulse strobe fade tint warm cool dry soak drain flush purge prime bleed vent clamp release
lock unlock arm disarm reset reboot program configure select load eject insert withdraw extend retract fasten loosen tighten press squeeze""".split()
NOUNS = """piano sail antenna rudder kiln loom easel violin altar bakery dough pastry harvest barn stable saddle hoof fleece beehive honey orchard vineyard
barrel cellar still mash keg tap glass mirror lens prism shutter tripod film reel script stage curtain spotlight mask costume puppet drum cymbal
trumpet organ choir archive ledger invoice ticket passport badge locker vault safe alarm siren flare buoy lighthouse harbor crane winch rope net
trap cage kennel leash collar perch nest pond stream dam turbine rotor stator coil magnet fuse relay circuit panel inverter battery cell module
array mast tower dish receiver beacon drone glider kite parachute capsule rocket satellite rover crater probe laser beam mirror crystal membrane
filter cartridge nozzle injector piston cylinder crankshaft gearbox clutch brake axle tire hub rim spoke frame pedal chain helmet glove boot
scarf quilt mattress pillow cradle stroller swing slide sandbox fence hedge lawn patio chimney gutter roof attic basement staircase railing
wardrobe shelf lamp clock vase portrait carpet tile grout sink faucet shower mirror towel heater stove pan wok grill oven kettle blender""".split()
OPTIONS = """alpha beta gamma delta morning noon evening night spring summer autumn winter coarse fine rough smooth thick thin wide narrow deep shallow
sweet salty sour bitter circle square triangle star left center right top bottom front rear inner outer main backup primary secondary draft final
public private local remote single double triple solid dashed dotted gold silver bronze copper steel oak pine cotton silk wool leather jazz rock
folk beginner expert easy normal hard slow medium fast short long small large mono stereo wet dry hot cold raw cooked day week month once daily
weekly north south east west red green blue white black auto manual""".split()
QUANTITY = [("duration", "for {q}"), ("length", "by {q}"), ("length", "to {q}"), ("temperature", "to {q}"), ("temperature", "at {q}"), ("angle", "by {q}"), ("ratio", "to {q}"),
            ("speed", "at {q}"), ("volume", "with {q}"), ("mass", "with {q}"), ("integer", "{q} times"), ("number", "to {q}"), ("integer", "to level {q}"), ("ratio", "by {q}"),
            ("mass", "to {q}"), ("volume", "by {q}"), ("duration", "within {q}"), ("integer", "in {q} passes"), ("number", "with factor {q}"), ("integer", "to {q}")]
OTHERS = [("entity", "small", "with {v}"), ("place", "surface", "{@v}"), ("entity", "person", "for {v}"), ("text", "name", "as {v}"), ("place", "room", "{>v}"),
          ("entity", "any", "near {v}"), ("text", "name", "named {v}"), ("entity", "small", "using {v}"), ("place", "spot", "from {v}"), ("text", "speech", "saying {v}")]
PARAM_NAMES = {"duration": ["duration", "time", "for"], "length": ["distance", "length", "by"], "temperature": ["temperature", "degrees", "heat"], "angle": ["angle", "degrees"],
               "ratio": ["level", "percent", "share", "amount"], "speed": ["speed", "pace"], "volume": ["volume", "amount"], "mass": ["mass", "weight", "amount"],
               "integer": ["count", "number", "n", "level"], "number": ["value", "factor", "number"], "entity": ["object", "with", "what", "target"],
               "place": ["place", "where", "at", "location"], "text": ["text", "name", "label", "as"]}
KINDS = ["kind", "mode", "type", "program", "option", "setting", "style", "which", "profile"]


def _word(pool, rng):
    return lexicon.madeup(rng) if rng.random() < 0.3 else rng.choice(pool)


def _quantity(rng):
    kind, phrase = rng.choice(QUANTITY)
    names = PARAM_NAMES[kind]
    return Param("q", kind, optional=rng.random() < 0.2, names=names), phrase


def _option(rng):
    options = rng.sample(OPTIONS, rng.randint(2, 5))
    if rng.random() < 0.3:
        options[0] = lexicon.madeup(rng)
    if rng.random() < 0.15:
        options[-1] = options[-1] + " " + rng.choice(OPTIONS)
    param = Param("k", "enum", optional=rng.random() < 0.15, names=KINDS)
    param.option_sets = [options]
    return param


def _tool(verb, noun, number, rng):
    """One tool that does `verb` to `noun`, with up to two parameters."""
    tool = Tool("invented", f"t{number}", f"invented {verb} {noun}")
    tool.names = [f"{verb} {noun}", f"{verb}", f"{noun} {verb}", f"{verb} the {noun}"]
    tool.does = [f"{verb} the {noun}", f"{verb} the {noun}", f"{verb} a {noun}", f"{verb} your {noun}"]
    base = f"{verb} [the|the|the|my|a|this|] {noun}"
    roll = rng.random()
    tails, params = "", []
    if roll < 0.35:
        param, tails = _quantity(rng)
        params = [param]
    elif roll < 0.6:
        params = [_option(rng)]
        tails = rng.choice(["[in|with] {k} [mode|]", "as {k}", "{k}", "[in|with] the {k} [setting|style|way]", "to {k}", "on {k}"])
    elif roll < 0.75:
        kind, detail, tails = rng.choice(OTHERS)
        params = [Param("v", kind, detail, optional=rng.random() < 0.2, names=PARAM_NAMES[kind])]
    elif roll < 0.88:
        param, tails = _quantity(rng)
        if rng.random() < 0.5:
            params, tails = [param, _option(rng)], f"{tails} in {{k}} mode"
        else:
            kind, detail, phrase = rng.choice(OTHERS)
            params, tails = [param, Param("v", kind, detail, names=PARAM_NAMES[kind])], f"{tails} {phrase}"
    tool.params = params
    lines = [f"{base} {tails}"] * 2
    if params and rng.random() < 0.4:
        lines.append(base)
    if params and params[0].option_sets:
        lines.append(f"[set|switch|change] the {noun} [to|to] {{k}} [{verb}|]")
    tool.says = [Say(tree, {}, True, phrases.slots_of(tree)) for tree in map(phrases.parse, lines)]
    if len(params) == 1 and tails.startswith(("{", "by", "to")) is False and rng.random() < 0.5:
        tree = phrases.parse(f"{tails} {base}")
        tool.says.append(Say(tree, {}, False, phrases.slots_of(tree)))
    return tool


def family(rng, strange=False):
    """A family of two to seven tools that nobody wrote; some share their verb or their noun. `strange`: found by its words alone."""
    if not strange and rng.random() < 0.25:
        return situations.family(rng)
    if not strange and rng.random() < 0.4:
        return meanings.family(rng)
    if rng.random() < 0.65:
        made = patterns.tools(rng)
        out = Family("pattern " + made[0][0], [[made[0][0]]])
        out.tools = [tool for _, tool in made]
        return out
    verbs = [_word(VERBS, rng) for _ in range(3)]
    nouns = [_word(NOUNS, rng) + (" " + lexicon.label(rng) if rng.random() < 0.12 else "") for _ in range(3)]
    pairs = list({(rng.choice(verbs), rng.choice(nouns)) for _ in range(rng.randint(2, 6))})
    pairs.sort()
    out = Family("invented " + nouns[0], [[nouns[0]]])
    out.tools = [_tool(v, n, i, rng) for i, (v, n) in enumerate(pairs)]
    return out
