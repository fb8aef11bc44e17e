"""`scripts/train_ngram.py`: an n-gram language model over tokens, or over words."""

import argparse
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from asrkit.cli.logs import start_logging
from asrkit.cli.texts import read_texts
from asrkit.data.batches.batch import lengths, pad
from asrkit.models.lm.ngram_lm import NgramLm
from asrkit.text.load import load_tokenizer
from asrkit.text.ngram.arpa import write_arpa
from asrkit.text.ngram.kneser_ney import train_kneser_ney
from asrkit.text.phone import PhoneTokenizer
from asrkit.text.tokenizer import UNK_ID, Tokenizer
from asrkit.text.words import WordList
from asrkit.utils.errors import InputError

_AT_ONCE = 1 << 16  # tokens, padding included, whose probability is found in one go
_EXAMPLES = 10  # of what the tokenizer or its lexicon lacks


def main(argv: list[str] | None = None) -> int:
    """Train, write the model and say how well it fits."""
    parse = parser()
    args = parse.parse_args(argv)
    if (args.sets or args.dev_sets) and not args.manifests:
        parse.error("--sets and --dev-sets need --manifests, the folder they are in")
    if args.order < 1:
        parse.error("--order must be at least 1")
    start_logging(None, "train_ngram")
    vocabulary = _vocabulary(args.lang_dir, args.words)
    texts = read_texts(args.text, args.manifests, args.sets)
    sentences = _tokenize("train", texts, vocabulary)
    dev = None
    if args.dev_text or args.dev_sets:
        texts = read_texts(args.dev_text, args.manifests, args.dev_sets)
        dev = _tokenize("dev", texts, vocabulary)
    table = train_kneser_ney(
        sentences, vocabulary.vocab_size, order=args.order, min_counts=args.min_counts
    )
    for n, rows in enumerate(table.ngrams, start=1):
        print(f"order {n}: {len(rows)} n-grams")
    write_arpa(args.out, table, vocabulary.tokens)
    print(f"wrote {args.out}")
    if dev is not None:
        value = perplexity(NgramLm(table, vocabulary.vocab_size), dev)
        print(
            f"dev: perplexity {value:.4f} per {_unit(vocabulary)}, sentence ends "
            "included"
        )
    return 0


def _vocabulary(lang_dir: Path, words: bool) -> Tokenizer | WordList:
    """Return what the n-gram is over: the tokens, or the words of the lexicon."""
    tokenizer = load_tokenizer(lang_dir)
    if not words:
        return tokenizer
    if not isinstance(tokenizer, PhoneTokenizer):
        raise InputError(
            f"--words takes the words of a lexicon, which the tokenizer in {lang_dir} "
            "does not have (tokenizer=phone has one); leave --words out"
        )
    return WordList(tokenizer.lexicon())


def _unit(vocabulary: Tokenizer | WordList) -> str:
    return "word" if isinstance(vocabulary, WordList) else "token"


def perplexity(model: NgramLm, sentences: Sequence[Sequence[int]]) -> float:
    """Return the perplexity per token; the end of a sentence counts as one."""
    total = sum(
        model.log_prob(pad(batch), lengths(batch)).double().sum().item()
        for batch in _batches(sentences)
    )
    count = sum(len(sentence) + 1 for sentence in sentences)
    return math.exp(-total / count)


def _batches(sentences: Sequence[Sequence[int]]) -> Iterator[list[torch.Tensor]]:
    """Yield sentences of about the same length together."""
    rest = sorted((torch.tensor(sentence) for sentence in sentences), key=len)
    while rest:
        count = max(1, _AT_ONCE // (len(rest[-1]) + 1))
        yield rest[-count:]
        del rest[-count:]


def _tokenize(
    name: str, texts: Iterator[str], vocabulary: Tokenizer | WordList
) -> list[list[int]]:
    """Turn texts into token ids and say what there is of them."""
    sentences: list[list[int]] = []
    empty = unknown = 0
    lacking: set[str] = set()
    for text in texts:
        sentence = vocabulary.encode(text.strip())
        if not sentence:
            empty += 1
            continue
        sentences.append(sentence)
        if UNK_ID in sentence:
            unknown += sentence.count(UNK_ID)
            lacking.update(vocabulary.missing(text.strip()))
    if not sentences:
        raise InputError(f"{name}: there is no text, {empty} empty lines")
    count = sum(map(len, sentences))
    print(
        f"{name}: {len(sentences)} sentences, {count} {_unit(vocabulary)}s, "
        f"{unknown} of them <unk>, {empty} empty lines left out"
    )
    if lacking:
        some = ", ".join(map(repr, sorted(lacking)[:_EXAMPLES]))
        kind = "words" if isinstance(vocabulary, WordList) else "symbols"
        print(f"{name}: the tokenizer lacks {len(lacking)} {kind}, such as {some}")
    return sentences


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(
        description="Train an n-gram language model over the tokens of a tokenizer, or "
        "over the words of its lexicon, with modified Kneser-Ney smoothing, and write "
        "it in ARPA format.",
        epilog="example: train_ngram.py --manifests data/demo/manifests --sets train "
        "--dev-sets dev --lang-dir data/demo/lang_bpe_70 --out data/demo/lm/3gram.arpa",
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--text", nargs="+", type=Path, metavar="FILE", help="a sentence a line"
    )
    source.add_argument("--sets", nargs="+", metavar="SET", help="transcripts of sets")
    dev = parser.add_mutually_exclusive_group()
    dev.add_argument(
        "--dev-text", nargs="+", type=Path, metavar="FILE", help="to measure perplexity"
    )
    dev.add_argument("--dev-sets", nargs="+", metavar="SET", help="the same, of sets")
    add = parser.add_argument
    add("--manifests", type=Path, metavar="DIR", help="where the sets are")
    add("--lang-dir", type=Path, required=True, metavar="DIR", help="the tokenizer's")
    add(
        "--words",
        action="store_true",
        help="count words of the tokenizer's lexicon (tokenizer=phone), others as "
        "<unk>; for decode.fusion.word_lm",
    )
    add("--order", type=int, default=3, metavar="N", help="default: 3")
    add(
        "--min-counts",
        type=int,
        nargs="+",
        metavar="COUNT",
        help="one for each order, 1 first: leave out n-grams that come less often",
    )
    add("--out", type=Path, required=True, metavar="FILE", help=".arpa or .arpa.gz")
    return parser
