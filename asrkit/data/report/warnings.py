"""The warnings of the data report: what is odd about a corpus and what to do."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TypeVar

from asrkit.data.report.checks import LEFT_OUT, Checks, DataProblem, Role
from asrkit.data.report.parts import PartFacts, piece_share
from asrkit.text.round_trip import Change, describe_change, name_characters
from asrkit.text.two_ways import Letters
from asrkit.utils.errors import some

_MOST_EXAMPLES = 3
_MOST_LISTED = 10
_LOW_COVERAGE = 0.5
_CROWDED = 0.01
"""Where more of train has more labels than frames, they are too many, not its texts
wrong."""
_Thing = TypeVar("_Thing")

_ADVICE = {
    DataProblem.EMPTY_TEXT: "Write their transcripts or drop them from the corpus.",
    DataProblem.OUTSIDE: (
        "Were the cuts made shorter and their texts not? scripts/prepare.py leaves out "
        "such cuts; or cut them anew from their recordings."
    ),
    DataProblem.NO_PATH: (
        "See whether text and audio belong together; if they do, longer pieces "
        "(a larger tokenizer.vocab_size) need fewer frames."
    ),
    DataProblem.SILENT: (
        "Listen to the recordings; the wrong channel is a common cause."
    ),
    DataProblem.TOO_SHORT: "A lower data.min_seconds takes them in.",
    DataProblem.TOO_LONG: "A higher data.max_seconds takes them in.",
    DataProblem.TOO_DENSE: (
        "See whether text and audio belong together; data.max_tokens_per_second is the "
        "limit."
    ),
    DataProblem.MISSING: "Normalize the transcripts, or train the tokenizer again.",
    DataProblem.CHANGED: (
        "What is recognized can never equal these transcripts and counts as wrong. "
        "Train the tokenizer again (remove its folder): of characters, new ones change "
        "U+2581 alone, to a space. Or write the transcripts as they come back."
    ),
    DataProblem.CLIPPED: "Lower the recording level if there are many.",
}


def list_warnings(
    all_facts: Sequence[PartFacts],
    vocab_size: int,
    sampling_rate: int | None,
    checks: Checks,
) -> list[str]:
    """Return what is odd about the corpus, the most telling first.

    Args:
        all_facts: What was collected of each part.
        vocab_size: Pieces of the tokenizer, the special ones included.
        sampling_rate: Hz of the features; None: what is resampled is not told.
        checks: What the utterances had to fulfil.
    """
    train = [facts for facts in all_facts if facts.role is Role.TRAIN]
    return [
        *_nothing_left(all_facts),
        *_shared_speakers(train, all_facts),
        *_shared_sentences(train, all_facts),
        *_problems(all_facts),
        *_crowded(train, vocab_size, checks),
        *_cuts(all_facts),
        *_two_ways(all_facts),
        *_homophones(all_facts),
        *_sampling_rates(all_facts),
        *_upsampled(all_facts, sampling_rate),
        *_coverage(train, vocab_size),
    ]


def _nothing_left(all_facts: Sequence[PartFacts]) -> list[str]:
    return [
        f"{facts.part}: every utterance is left out; nothing can be done with it. "
        "See left_out.tsv for the reasons."
        for facts in all_facts
        if len(facts.left_out) == len(facts.durations)
    ]


def _shared_speakers(
    train: Sequence[PartFacts], all_facts: Sequence[PartFacts]
) -> list[str]:
    nameless = [facts.part for facts in all_facts if not facts.speakers]
    warnings = []
    if nameless:
        warnings.append(
            f"No speakers are named in {_and(nameless)}, so speakers shared by train "
            "and test cannot be found. Name them in the manifests."
        )
    known = set().union(*(facts.speakers for facts in train))
    everyone = set().union(*(facts.speakers for facts in all_facts))
    if len(everyone) == 1 and len(all_facts) > 1 and not nameless:
        warnings.append(
            f"The corpus has one speaker, {everyone.pop()!r}: the word error rate "
            "tells how well this speaker is recognized and nothing about others."
        )
        return warnings
    for facts in all_facts:
        shared = sorted(facts.speakers & known)
        if shared and facts.role is not Role.TRAIN:
            warnings.append(
                f"{facts.part}: {len(shared)} of {len(facts.speakers)} speakers are "
                f"also in train ({some(shared)}): expect a higher word error rate "
                "for other speakers. Split the corpus by speaker to measure it."
            )
    return warnings


def _shared_sentences(
    train: Sequence[PartFacts], all_facts: Sequence[PartFacts]
) -> list[str]:
    warnings = []
    for facts in all_facts:
        if facts.role is not Role.TEST:
            continue
        shared = sum(
            count
            for sentence, count in facts.sentences.items()
            if any(sentence in other.sentences for other in train)
        )
        if shared:
            total = len(facts.durations)
            warnings.append(
                f"{facts.part}: the sentences of {shared:,} of {total:,} utterances "
                f"({100 * shared / total:.1f} %) are also in train: expect a higher "
                "word error rate for other sentences."
            )
    return warnings


def _problems(all_facts: Sequence[PartFacts]) -> list[str]:
    """Return a warning for each problem, with the utterances of all parts."""
    warnings = []
    for problem in DataProblem:
        found = [where for facts in all_facts for where in _found(facts, problem)]
        if found:
            title = problem.value.capitalize()
            if problem is DataProblem.MISSING:
                title += f" ({_most_lacking(all_facts)})"
            if problem is DataProblem.CHANGED:
                title += f" ({_most_changed(all_facts)})"
            warnings.append(f"{title}: {'; '.join(found)}. {_ADVICE[problem]}")
    return warnings


def _crowded(train: Sequence[PartFacts], vocab_size: int, checks: Checks) -> list[str]:
    """Say what to do where many utterances have more labels than frames."""
    count = sum(
        DataProblem.NO_PATH in one.problems for facts in train for one in facts.left_out
    )
    total = sum(len(facts.durations) for facts in train)
    if not checks.limited_by or count <= _CROWDED * total:
        return []
    return [
        f"{100 * count / total:.1f} % of train has more labels than frames: with "
        f"{checks.limited_by} a frame, one of {checks.subsampling} feature frames, "
        f"cannot hold several labels, and V = {vocab_size} makes many. Train with "
        "loss.topology=REGULAR and without CTC, or make fewer labels (BPE, a larger "
        "tokenizer.vocab_size), or more frames (a smaller encoder.subsampling)."
    ]


def _found(facts: PartFacts, problem: DataProblem) -> list[str]:
    """Say how many utterances of a part have a problem, and what becomes of them."""
    flagged, fate = facts.kept, "kept"
    if problem in LEFT_OUT[facts.role]:
        flagged, fate = facts.left_out, "left out"
    elif facts.role is Role.TEST:
        fate = "decoded all the same"
    ids = [utterance.id for utterance in flagged if problem in utterance.problems]
    return [f"{len(ids):,} of {facts.part} {fate} ({some(ids)})"] if ids else []


def _most_lacking(all_facts: Sequence[PartFacts]) -> str:
    lacking = sum((facts.lacking for facts in all_facts), Counter[str]())
    return _commonest(lacking, "{} in {:,}".format)


def _most_changed(all_facts: Sequence[PartFacts]) -> str:
    changes = sum((facts.changes for facts in all_facts), Counter[Change]())
    return _commonest(changes, lambda one, n: f"{describe_change(one)} in {n:,}")


def _commonest(counts: Counter[_Thing], say: Callable[[_Thing, int], str]) -> str:
    """Say what is most often there, and whether there is more."""
    listed = ", ".join(say(*one) for one in counts.most_common(_MOST_LISTED))
    return listed + (", ..." if len(counts) > _MOST_LISTED else "")


def _two_ways(all_facts: Sequence[PartFacts]) -> list[str]:
    """Say which letters are one character in some texts and several in others."""
    letters = Letters()
    for facts in all_facts:
        letters.join(facts.letters)
    found = letters.in_two_ways()
    if not found:
        return []
    listed = _commonest(found, lambda one, n: f"{name_characters(one)}: {n:,}")
    return [
        "Letters that are one character in some transcripts, and several, or another "
        f"one, in others ({listed}): they look alike, but words with them count as "
        "different ones. Bring all transcripts into one form, such as Unicode's NFC."
    ]


def _homophones(all_facts: Sequence[PartFacts]) -> list[str]:
    """Say how many words are decoded as others that have the same phones."""
    found = [
        f"{facts.homophones.total():,} of {facts.num_words:,} in {facts.part}"
        for facts in all_facts
        if facts.homophones
    ]
    if not found:
        return []
    pairs = sum((facts.homophones for facts in all_facts), Counter[tuple[str, str]]())
    listed = _commonest(pairs, lambda pair, n: f"{pair[1]} for {pair[0]}: {n:,}")
    return [
        f"Words that sound like another word, which is decoded for them ({listed}): "
        f"{'; '.join(found)}. A language model over words tells them apart "
        "(decode.fusion.word_lm); else the one that comes first in the lexicon wins."
    ]


def _cuts(all_facts: Sequence[PartFacts]) -> list[str]:
    """Say which cuts are no utterances, or became several, or have several channels."""
    warnings = []
    for facts in all_facts:
        if rows := facts.no_utterances:
            warnings.append(
                f"{facts.part}: {len(rows):,} cuts are no utterances and are left out, "
                f"such as {rows[0].id}: {rows[0].reason}."
            )
        warnings += [
            f"{facts.part}: {said}"
            for said in (*facts.trimmed.describe(), *facts.channels.describe())
        ]
    return warnings


def _sampling_rates(all_facts: Sequence[PartFacts]) -> list[str]:
    rates: Counter[int] = Counter()
    for facts in all_facts:
        rates.update(facts.sampling_rates)
    if len(rates) == 1:
        return []
    listed = ", ".join(f"{rate} Hz: {count:,}" for rate, count in rates.most_common())
    return [
        f"Several sampling rates ({listed}). Recordings of a lower rate lack the high "
        "frequencies; see that train has them too if test does."
    ]


def _upsampled(all_facts: Sequence[PartFacts], sampling_rate: int | None) -> list[str]:
    """Say which audio lacks the frequencies that the features are made for."""
    if sampling_rate is None:
        return []
    found = []
    for facts in all_facts:
        low = {r: n for r, n in facts.sampling_rates.items() if r < sampling_rate}
        if low:
            rates = " and ".join(f"{rate} Hz" for rate in sorted(low))
            total = len(facts.durations)
            found.append(
                f"{sum(low.values()):,} of {total:,} of {facts.part} ({rates})"
            )
    if not found:
        return []
    return [
        f"Upsampled to features.sampling_rate={sampling_rate}: {'; '.join(found)}. "
        "Their upper frequencies are empty. Where most of the audio is telephone "
        "speech, features.sampling_rate=8000 gives all bins to what there is."
    ]


def _coverage(train: Sequence[PartFacts], vocab_size: int) -> list[str]:
    pieces = set().union(*(facts.pieces for facts in train))
    share = piece_share(pieces, vocab_size)
    if not train or share >= _LOW_COVERAGE:
        return []
    return [
        f"Only {100 * share:.0f} % of the tokenizer's pieces occur in train. A "
        "tokenizer of fewer pieces, trained on these transcripts, is easier to learn."
    ]


def _and(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names)
