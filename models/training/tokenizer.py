"""The tokenizer: byte-level BPE over generated text, control tokens first (FORMAT.md, "Tokens").

`python tokenizer.py` trains it from the generator and writes `tokenizer.json`; every other program loads that file.
"""

import argparse
from pathlib import Path

from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

PATH = Path(__file__).with_name("tokenizer.json")
VOCABULARY = 12288
QWEN2 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
CONTROLS = ["<pad>", "<tools>", "<goal>", "<plan>", "<end>", "<none>", "<ask>", "<skip>", "<param>", "<example>", "<next>", "<judge>", "<question>",
            "<yes>", "<no>", "<reserved>"] + [f"<t{i}>" for i in range(32)]
PAD, TOOLS, GOAL, PLAN, END, NONE, ASK, SKIP, PARAM, EXAMPLE = range(10)
FIRST_INDEX = 16


def train(texts):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(QWEN2), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])
    trainer = trainers.BpeTrainer(vocab_size=VOCABULARY, special_tokens=CONTROLS, show_progress=False,
                                  initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()))
    tokenizer.train_from_iterator(texts, trainer)
    assert tokenizer.get_vocab_size() == VOCABULARY
    assert [tokenizer.id_to_token(i) for i in range(48)] == CONTROLS
    return tokenizer


def load(path=PATH):
    return Tokenizer.from_file(str(path))


# Everyday words of commanding machines that the families may not contain yet.
WORDS = """drone fly take off land hover altitude height meters ascend descend return launch photo picture record video zoom pan tilt stream valve pump tank flow pressure
conveyor belt speed robot camera kitchen coffee cook stir bake fry boil serve table guest waiter tray plate dish lab sample tube rack pipette centrifuge incubate shake
measure weigh scan label print barcode order shelf warehouse forklift pallet load unload truck dock inventory count stock package deliver courier hospital nurse patient
medicine room floor elevator door open close lock unlock window curtain garden plant water soil seed harvest prune fertilizer mow lawn pool fish feed animal dog cat cow
milk door car drive park charge battery engine start stop pause resume reset status report check tell show read say speak play song music volume timer alarm remind
reminder minutes seconds hours tomorrow today morning evening night temperature degrees celsius fahrenheit percent half quarter light lamp bright dim color red green
blue white warm cold heat cool fan air vent filter clean vacuum wipe wash dry sweep mop dust trash empty fill pour mix dispense dose inject spray paint weld cut drill
screw tighten loosen press push pull lift lower raise turn rotate spin left right forward backward back up down north south east west between behind under above
inside outside around toward through across along near close far away here there everywhere anything something someone please could would should want need like make sure
before after when while until then next finally first second third again twice once times more less bit little slightly carefully slowly quickly fast immediately
don't never not without instead except only also both all every each another other same new old big small large heavy empty full hot cold user person people
message email call phone text send notify alert name number code password mode setting level value target position location place area zone line station point
grip gripper hand finger arm wrist joint tool head base leg wheel motor sensor display screen button switch power voltage current signal data file log camera
square circle triangle line draw write move go come bring take get put hold keep give hand pass throw catch pick place drop release grab follow find search look
watch guard patrol explore map dance wave nod greet sing smile sit stand walk run jump climb sleep wake wait stay leave enter exit arrive return home kettle toaster
microwave fridge freezer oven stove sink cupboard drawer basket bottle glass cup mug bowl spoon fork knife pan pot lid juice tea milk bread cheese sugar salt""".split()


def texts(seeds):
    import generate
    import lexicon
    from wordfreq import top_n_list, word_frequency
    for word in top_n_list("en", 16_000):
        if word.isascii() and word.isalpha():
            yield from [" " + word] * min(200, 40 + round(word_frequency(word, "en") * 3e6))
    lexicon.madeup = lambda rng: "x"     # made-up words shall not earn tokens
    for words in (WORDS, *lexicon.NOUNS.values(), lexicon.SURFACES, lexicon.CONTAINERS, lexicon.SPOTS, lexicon.ROOMS, lexicon.COLORS, lexicon.ADJECTIVES):
        for word in words:
            yield from [" " + word.replace("-", " ")] * 60
    for seed in seeds:
        tools, segments = generate.sample(1_000_000_000 + seed, 10)
        for tool in tools:
            head, params = tool.line()
            yield head.lower()
            yield from (p.lower() for p in params)
        for segment in segments:
            yield " " + segment.goal.text


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=8000)
    options = parser.parse_args()
    tokenizer = train(texts(range(options.seeds)))
    tokenizer.save(str(PATH))
    sample = " pick up the red cube and put it in bin a, then move 12.5 cm left"
    print(tokenizer.encode(sample).tokens)
