"""Quantities as people write them: rendering for the generator, finding for the decoder.

Rendering and finding stand side by side because they are two views of one grammar: whatever
`render` can write, `find` must see as one span (`test_quantities` at the bottom checks it).
"""

import random
import re

ONES = ("zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
        "sixteen seventeen eighteen nineteen").split()
TENS = "zero ten twenty thirty forty fifty sixty seventy eighty ninety".split()

# unit: (scale to the canonical unit, compact suffixes, singular and plural words)
UNITS = {
    "length": {
        "cm": (0.01, ["cm"], [("centimeter", "centimeters"), ("centimetre", "centimetres")]),
        "m": (1.0, ["m"], [("meter", "meters"), ("metre", "metres")]),
        "mm": (0.001, ["mm"], [("millimeter", "millimeters"), ("millimetre", "millimetres")]),
        "in": (0.0254, ["in"], [("inch", "inches")]),
        "ft": (0.3048, ["ft"], [("foot", "feet")]),
        "km": (1000.0, ["km"], [("kilometer", "kilometers"), ("kilometre", "kilometres")]),
        "yd": (0.9144, ["yd"], [("yard", "yards")]),
    },
    "angle": {
        "deg": (1.0, ["deg", "°"], [("degree", "degrees")]),
        "rad": (57.2958, ["rad"], [("radian", "radians")]),
    },
    "duration": {
        "s": (1.0, ["s", "sec", "secs"], [("second", "seconds")]),
        "min": (60.0, ["min", "mins"], [("minute", "minutes")]),
        "h": (3600.0, ["h", "hr", "hrs"], [("hour", "hours")]),
        "d": (86400.0, [], [("day", "days")]),
    },
    "speed": {
        "m/s": (1.0, ["m/s", "mps"], [("meter per second", "meters per second"), ("metre per second", "metres per second"), ("m per second", "m per second")]),
        "cm/s": (0.01, ["cm/s"], [("centimeter per second", "centimeters per second"), ("centimetre per second", "centimetres per second"), ("cm per second", "cm per second")]),
        "mm/s": (0.001, ["mm/s"], [("millimeter per second", "millimeters per second"), ("millimetre per second", "millimetres per second")]),
        "km/h": (0.27778, ["km/h", "kmh", "kph"], [("kilometer per hour", "kilometers per hour"), ("kilometre per hour", "kilometres per hour"), ("kilometer an hour", "kilometers an hour")]),
        "mph": (0.44704, ["mph"], [("mile per hour", "miles per hour"), ("mile an hour", "miles an hour")]),
    },
    "temperature": {
        "c": (1.0, ["c", "°c", "°"], [("degree", "degrees"), ("degree celsius", "degrees celsius"), ("degree c", "degrees c"),
                                      ("degree centigrade", "degrees centigrade")]),
        "f": (0.5556, ["f", "°f"], [("degree fahrenheit", "degrees fahrenheit")]),
        "k": (1.0, [], [("kelvin", "kelvin")]),
    },
    "ratio": {"%": (0.01, ["%"], [("percent", "percent"), ("per cent", "per cent")])},
    "volume": {
        "ml": (0.001, ["ml"], [("milliliter", "milliliters"), ("millilitre", "millilitres")]),
        "l": (1.0, ["l"], [("liter", "liters"), ("litre", "litres")]),
        "ul": (1e-6, ["ul"], [("microliter", "microliters")]),
        "gal": (3.785, [], [("gallon", "gallons")]),
        "cup": (0.24, [], [("cup", "cups")]),
    },
    "mass": {
        "g": (0.001, ["g"], [("gram", "grams")]),
        "kg": (1.0, ["kg"], [("kilogram", "kilograms"), ("kilo", "kilos")]),
        "mg": (1e-6, ["mg"], [("milligram", "milligrams")]),
        "lb": (0.4536, ["lb", "lbs"], [("pound", "pounds")]),
        "oz": (0.02835, ["oz"], [("ounce", "ounces")]),
    },
}
DEFAULT_RANGE = {"length": (0.005, 5), "angle": (5, 360), "duration": (1, 7200), "speed": (0.02, 3), "temperature": (5, 90),
                 "ratio": (0, 1), "volume": (0.01, 5), "mass": (0.01, 5), "number": (0, 100), "integer": (1, 12)}
QUANTITIES = tuple(UNITS)


def words_of(n):
    """The English words of an integer from -999 to 999."""
    if n < 0:
        return "minus " + words_of(-n)
    if n < 20:
        return ONES[n]
    if n < 100:
        return TENS[n // 10] + ("" if n % 10 == 0 else ("-" if n % 2 else " ") + ONES[n % 10])
    return ONES[n // 100] + " hundred" + ("" if n % 100 == 0 else " " + words_of(n % 100))


def _number(x, rng):
    """A number near `x` with few digits, as text, and whether it is singular."""
    if x >= 20:
        step = rng.choice([1, 5, 10, 10]) if x < 300 else rng.choice([10, 50, 100])
        n = max(step, int(round(x / step)) * step)
    elif x >= 2:
        n = int(round(x)) if rng.random() < 0.8 else round(x, 1)
    else:
        n = rng.choice([1, 1, 2, round(x, 1), round(x, 1), round(x, 2)]) or 1
    if isinstance(n, float) and n == int(n):
        n = int(n)
    return n


def render(kind, rng, low=None, high=None, spoken=None):
    """A quantity of `kind` between `low` and `high` in the canonical unit, as people write it."""
    low_default, high_default = DEFAULT_RANGE[kind]
    low = low_default if low is None else low
    high = high_default if high is None else high
    spoken = rng.random() < 0.22 if spoken is None else spoken
    if kind == "integer":
        n = rng.randint(int(low), int(high))
        return words_of(n) if (spoken or rng.random() < 0.15) and abs(n) < 1000 else str(n)
    if kind == "number":
        x = rng.uniform(low, high)
        n = rng.choice([int(x), int(x), round(x, 1), round(x, 2)])
        if spoken and isinstance(n, int) and 0 <= n < 1000:
            return words_of(n)
        return str(n)
    if kind == "ratio":
        return _ratio(rng, low, high, spoken)
    if low >= 0:
        low = max(low, high / 1000)
    x = low + (high - low) * rng.random() if low < 0 or high / max(low, 1e-9) < 20 else low * (high / low) ** rng.random()
    if x < 0:
        below = _with_unit(kind, -x, rng, spoken)
        return below if below.startswith("minus") else ("-" if below[0].isdigit() and rng.random() < 0.3 else "minus ") + below
    return _with_unit(kind, x, rng, spoken)


def _ratio(rng, low, high, spoken):
    if rng.random() < 0.1:
        return rng.choice(["half", "halfway", "half way", "a half", "a quarter", "three quarters", "a third", "two thirds", "one half", "one third"])
    n = rng.randint(int(low * 100), int(high * 100))
    n = rng.choice([n, n - n % 5, n - n % 10]) or 10
    if spoken:
        return f"{words_of(n)} {rng.choice(['percent', 'percent', 'per cent'])}"
    return rng.choice([f"{n}%", f"{n}%", f"{n} %", f"{n} percent", f"{n} percent"])


def _with_unit(kind, x, rng, spoken):
    units = UNITS[kind]
    fitting = [u for u, (scale, _, _) in units.items() if 0.4 <= x / scale <= 999] or list(units)
    weights = [0.25 if u in ("in", "ft", "yd", "km", "rad", "k", "f", "mph", "gal", "cup", "ul", "lb", "oz", "mg", "d") else 1 for u in fitting]
    unit = rng.choices(fitting, weights)[0]
    scale, compact, words = units[unit]
    if kind == "angle":
        if rng.random() < 0.06:
            return rng.choice(["a quarter turn", "half a turn", "a half turn", "a full turn"])
        x = rng.choice([x, 45, 90, 90, 180, 30]) if unit == "deg" else x
    n = _number(x / scale, rng)
    singular, plural = rng.choice(words)
    roll = rng.random()
    if kind in ("length", "duration", "volume", "mass") and roll < 0.07 and " " not in singular:
        article = "an" if singular in ("hour", "inch", "ounce") else "a"
        return rng.choice([f"half {article} {singular}", f"{article} {singular}", f"one {singular}", f"{article} {singular} and a half",
                           f"a quarter of {article} {singular}", f"one and a half {plural}", f"half {article} {singular}",
                           f"two and a half {plural}", f"a half {singular}", f"three quarters of {article} {singular}"])
    if kind == "duration" and roll < 0.11 and unit in ("min", "h"):
        small = "second" if unit == "min" else "minute"
        k = rng.choice([15, 20, 30, 45])
        joint = rng.choice([" and ", " "])
        return f"{n if isinstance(n, int) else 2} {plural}{joint}{k} {small}s"
    if spoken and isinstance(n, int) and n < 1000:
        return f"{words_of(n)} {singular if n == 1 else plural}"
    if spoken and isinstance(n, float):
        whole, _, tail = str(n).partition(".")
        return f"{words_of(int(whole))} point {' '.join(ONES[int(c)] for c in tail)} {plural}"
    if compact and rng.random() < 0.6:
        suffix = rng.choice(compact)
        return f"{n}{'' if suffix.startswith('°') else rng.choice(['', ' ', ' '])}{suffix}"
    if kind == "temperature" and rng.random() < 0.08:
        return f"minus {n} {plural}"
    return f"{n} {singular if n == 1 else plural}"


def _pattern():
    digit = r"-?\d+(?:[.,]\d+)?"
    small = "|".join(ONES[1:] + TENS[2:] + ["zero"])
    word = rf"(?:(?:{small})(?:[- ](?:{small}|hundred|and(?= (?:{small})\b)))*(?: point(?: (?:{small}))+)?)"
    fraction = r"(?:(?:one |a |an |two |three )?(?:half|halves|quarters?|thirds?))"
    amount = rf"(?:(?:minus )?(?:{digit}|{word}(?: and a half)?))"
    kinds = {}
    for kind, units in UNITS.items():
        names = sorted({n for _, compact, words in units.values() for n in compact + [w for pair in words for w in pair]}, key=len, reverse=True)
        unit = "(?:" + "|".join(re.escape(n) for n in names) + r")(?![a-z0-9/]| per\b| an hour\b)"
        one = rf"(?:{amount}(?: and a half)? ?{unit}|(?:{fraction}(?: of)? (?:an? )?|(?:an?) ){unit}(?: and a half)?)"
        if kind == "duration":
            one = rf"{one}(?:(?: and | ){amount} ?{unit})?"
        if kind == "angle":
            one = rf"(?:{one}|(?:a quarter|half a|a half|a full) turn)"
        if kind == "ratio":
            one = rf"(?:{one}|half ?way|{fraction}(?! (?:an?|of|turn|{small})\b)|{digit}(?![\d%]))"
        kinds[kind] = re.compile(rf"(?<![\w.]){one}")
    kinds["number"] = re.compile(rf"(?<![\w.])(?:minus )?(?:{digit}|{word})(?![a-z0-9])")
    kinds["integer"] = re.compile(rf"(?<![\w.])(?:\d+|{word})(?![\w]|\.\d)")
    return kinds


PATTERNS = _pattern()


def find(kind, text):
    """All spans `(start, end)` of lower-case `text` that can be a quantity of `kind`."""
    return [m.span() for m in PATTERNS[kind].finditer(text)]


def any_in(text):
    """Whether a quantity of any kind stands in `text`."""
    return any(find(kind, text) for kind in QUANTITIES)


def test_quantities():
    """Every rendered quantity is found again, whole, inside a sentence."""
    rng = random.Random(7)
    missed = []
    for kind in list(UNITS) + ["number", "integer"]:
        for _ in range(2000):
            text = render(kind, rng)
            goal = f"move it by {text}, then stop"
            if (11, 11 + len(text)) not in find(kind, goal):
                missed.append((kind, text))
    assert not missed, missed[:20]


if __name__ == "__main__":
    test_quantities()
    print("quantities: every rendering is found again")
