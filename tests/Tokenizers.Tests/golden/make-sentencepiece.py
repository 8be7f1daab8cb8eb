"""Trains small SentencePiece models on training.txt and writes the ids that the reference library gives to every text of torture.json.

Debian's packages sentencepiece and python3-sentencepiece 0.1.97; run with /usr/bin/python3 in this folder. Control pieces that stand in a
text are left out of the texts: transformers takes them as special tokens, the library spells them.
"""
import json
import os
import sentencepiece

CONTROLS = ("<s>", "</s>", "<unk>", "<mask>")
EXTRA = ["Zoo office Z", "a \u3000b  c", "\ufb01ne \u2460 \uff21\uff22 e\u0301 \u00e9", "  two  spaces  ", "<mask>ed <sep> x<sep>y", "\u4e00\u9fa5 \U0001f916\U0001f916 z", "a\tb\nc", " ", ""]
COMMON = dict(input="training.txt", hard_vocab_limit=False, num_threads=1, minloglevel=2)
MODELS = {
    # as Llama, Mistral and Mixtral: no normalization, every space counts, bytes for unknown characters
    "llama": dict(model_type="bpe", vocab_size=700, byte_fallback=True, normalization_rule_name="identity", remove_extra_whitespaces=False,
                  split_digits=True, allow_whitespace_only_pieces=True),
    # the trainer's defaults; a map of our own keeps the file small
    "bpe": dict(model_type="bpe", vocab_size=320, user_defined_symbols=["<sep>", "ing"], normalization_rule_tsv="rules.tsv"),
    # the trainer's defaults with its own map
    "unigram": dict(model_type="unigram", vocab_size=320, user_defined_symbols=["<sep>"]),
    "unigram-suffix": dict(model_type="unigram", vocab_size=600, treat_whitespace_as_suffix=True, byte_fallback=True,
                           normalization_rule_tsv="rules.tsv"),
}
# code points in hexadecimal: ligature, circled digit, e with accent from two characters, a capital to nothing, ideographic space
RULES = ["FB01\t66 69", "2460\t31", "65 301\tE9", "5A\t", "3000\t20", "66 66 69\t46", "9\t20", "A\t20"]

texts = [text for text in json.load(open("torture.json", encoding="utf-8")) + EXTRA if not any(c in text for c in CONTROLS)]
texts = [text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") for text in texts]
with open("rules.tsv", "w", encoding="utf-8") as rules:
    rules.write("".join(rule + "\n" for rule in RULES))
golden = {"texts": texts, "ids": {}}
for name, options in MODELS.items():
    sentencepiece.SentencePieceTrainer.train(model_prefix=f"spm-{name}", **COMMON, **options)
    model = sentencepiece.SentencePieceProcessor(model_file=f"spm-{name}.model")
    golden["ids"][name] = [model.encode(text) for text in texts]
os.remove("rules.tsv")
for name in MODELS:
    os.remove(f"spm-{name}.vocab")
json.dump(golden, open("golden-sentencepiece.json", "w", encoding="utf-8"), ensure_ascii=False, separators=(",", ":"))
