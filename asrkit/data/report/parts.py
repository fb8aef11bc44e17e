"""The numbers of the data report: one pass over the cuts of each part."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from lhotse.cut import Cut

from asrkit.data.audio.unreadable import source_of
from asrkit.data.corpora.channels import SeveralChannels
from asrkit.data.corpora.supervised import Trimmed, utterances_of
from asrkit.data.left_out import LeftOut
from asrkit.data.report.checks import LEFT_OUT, Checks, DataProblem, Role
from asrkit.data.report.ids import Ids
from asrkit.text.round_trip import Change, RoundTrip, describe_change
from asrkit.text.tokenizer import SPECIAL_PIECES, Tokenizer
from asrkit.text.two_ways import Letters
from asrkit.utils.errors import InputError

PERCENTILES = [0, 5, 50, 95, 100]
_MOST_BINS = 10


@dataclass(frozen=True)
class FlaggedUtterance:
    """An utterance with problems."""

    part: str
    id: str
    source: str
    """Path of the recording."""
    reason: str
    problems: frozenset[DataProblem]


@dataclass(frozen=True)
class Histogram:
    """Counts of values, in bins that all parts share."""

    edges: list[float]
    """Where one bin ends and the next begins; the outer bins are open."""
    counts: list[int]
    """Values in each bin: one bin more than edges."""


@dataclass
class PartFacts:
    """What one pass over a part collects."""

    part: str
    role: Role
    durations: list[float] = field(default_factory=list)
    """Of each utterance, in seconds."""
    num_tokens: list[int] = field(default_factory=list)
    """Of each utterance."""
    speakers: set[str] = field(default_factory=set)
    sentences: Counter[int] = field(default_factory=Counter)
    """Hashes of the texts: the texts themselves take much memory."""
    pieces: set[int] = field(default_factory=set)
    """Token ids that occur."""
    characters: set[str] = field(default_factory=set)
    """Code points that occur."""
    sampling_rates: Counter[int] = field(default_factory=Counter)
    """In Hz: number of utterances."""
    lacking: Counter[str] = field(default_factory=Counter)
    """Characters or words the tokenizer lacks: number of utterances."""
    changes: Counter[Change] = field(default_factory=Counter)
    """What the tokenizer changes: number of utterances."""
    letters: Letters = field(default_factory=Letters)
    num_words: int = 0
    homophones: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Words and those that are decoded for them: number of words."""
    left_out: list[FlaggedUtterance] = field(default_factory=list)
    kept: list[FlaggedUtterance] = field(default_factory=list)
    """Utterances with problems that are used all the same."""
    no_utterances: list[FlaggedUtterance] = field(default_factory=list)
    """Cuts that are none: without supervision, for instance."""
    trimmed: Trimmed = field(default_factory=Trimmed)
    """What became of cuts with several supervisions."""
    channels: SeveralChannels = field(default_factory=SeveralChannels)
    """Utterances that are read as the mean of several channels."""

    @property
    def token_rates(self) -> np.ndarray:
        """Tokens per second of each utterance."""
        return np.asarray(self.num_tokens) / np.asarray(self.durations)


@dataclass(frozen=True, kw_only=True)
class PartReport:
    """The numbers of one part, all its utterances counted, also those left out."""

    part: str
    role: Role
    utterances: int
    hours: float
    speakers: int
    """0 if the manifests name none."""
    left_out: int
    """Utterances left out, and cuts that are no utterances."""
    clipped: int
    """Utterances with clipped audio; they are kept."""
    tokens: int
    vocabulary_coverage: float
    """Share of the tokenizer's pieces that occur, special pieces aside, 0 to 1."""
    characters: frozenset[str]
    """Code points that occur, blanks aside."""
    lacking: frozenset[str]
    """Characters or words that occur and that the tokenizer lacks."""
    sampling_rates: dict[int, int]
    """In Hz: number of utterances."""
    duration_percentiles: dict[int, float]
    """Percent: seconds."""
    duration_histogram: Histogram
    rate_percentiles: dict[int, float]
    """Percent: tokens per second."""
    rate_histogram: Histogram


def collect_part(
    part: str,
    role: Role,
    cuts: Iterable[Cut | LeftOut],
    tokenizer: Tokenizer,
    checks: Checks,
    ids: Ids,
) -> PartFacts:
    """Go over the cuts of a part once; no audio is read.

    Args:
        part: Its name.
        role: What it is for.
        cuts: Its cuts; each supervision is an utterance.
        tokenizer: What the transcripts are encoded with.
        checks: What an utterance has to fulfil.
        ids: Takes down the utterances.

    Raises:
        InputError: The part is empty.
    """
    facts = PartFacts(part, role)
    round_trip = RoundTrip(tokenizer)
    for cut in cuts:
        listed = isinstance(cut, LeftOut)
        for one in [cut] if listed else utterances_of(cut, facts.trimmed):
            if isinstance(one, LeftOut):
                row = FlaggedUtterance(part, one.id, one.path, one.reason, frozenset())
                facts.no_utterances.append(row)
            else:
                ids.add(one, part)
                _add_cut(facts, one, tokenizer, checks, round_trip)
    if not facts.durations:
        raise InputError(f"part {part!r} has no utterances; make its manifest again")
    return facts


def _add_cut(
    facts: PartFacts,
    cut: Cut,
    tokenizer: Tokenizer,
    checks: Checks,
    round_trip: RoundTrip,
) -> None:
    supervision = cut.supervisions[0]
    words = (supervision.text or "").split()
    text = " ".join(words)
    tokens = tokenizer.encode(text)
    facts.durations.append(cut.duration)
    facts.num_tokens.append(len(tokens))
    if text:
        facts.sentences[hash(text)] += 1
    facts.pieces.update(tokens)
    facts.sampling_rates[cut.sampling_rate] += 1
    if supervision.speaker is not None:
        facts.speakers.add(supervision.speaker)
    facts.characters.update(text)
    facts.letters.add(text)
    facts.num_words += len(words)
    facts.homophones.update(tokenizer.homophones(text))
    facts.channels.add(cut)
    problems = checks.find_problems(cut, text, tokens, tokenizer)
    if changes := round_trip.changes(text, tokens):
        facts.changes.update(changes)
        said = ", ".join(map(describe_change, changes))
        problems[DataProblem.CHANGED] = f"not what comes back: {said}"
    if problems:
        _flag(facts, cut, problems)
    if DataProblem.MISSING in problems:
        facts.lacking.update(tokenizer.missing(text))


def _flag(facts: PartFacts, cut: Cut, problems: dict[DataProblem, str]) -> None:
    utterance = FlaggedUtterance(
        part=facts.part,
        id=cut.id,
        source=source_of(cut),
        reason="; ".join(problems.values()),
        problems=frozenset(problems),
    )
    left_out = not LEFT_OUT[facts.role].isdisjoint(problems)
    (facts.left_out if left_out else facts.kept).append(utterance)


def summarize(all_facts: Sequence[PartFacts], vocab_size: int) -> list[PartReport]:
    """Turn what was collected into the numbers of each part."""
    duration_edges = bin_edges(np.concatenate([f.durations for f in all_facts]))
    rate_edges = bin_edges(np.concatenate([f.token_rates for f in all_facts]))
    return [
        PartReport(
            part=facts.part,
            role=facts.role,
            utterances=len(facts.durations),
            hours=math.fsum(facts.durations) / 3600,
            speakers=len(facts.speakers),
            left_out=len(facts.left_out) + len(facts.no_utterances),
            clipped=sum(
                DataProblem.CLIPPED in utterance.problems
                for utterance in [*facts.left_out, *facts.kept]
            ),
            tokens=sum(facts.num_tokens),
            vocabulary_coverage=piece_share(facts.pieces, vocab_size),
            characters=frozenset(facts.characters - {" "}),
            lacking=frozenset(facts.lacking),
            sampling_rates=dict(facts.sampling_rates.most_common()),
            duration_percentiles=_percentiles(facts.durations),
            duration_histogram=_histogram(facts.durations, duration_edges),
            rate_percentiles=_percentiles(facts.token_rates),
            rate_histogram=_histogram(facts.token_rates, rate_edges),
        )
        for facts in all_facts
    ]


def piece_share(pieces: set[int], vocab_size: int) -> float:
    """Return the share of a tokenizer's pieces, special ones aside, in a set of ids."""
    ordinary = range(len(SPECIAL_PIECES), vocab_size)
    return len(pieces.intersection(ordinary)) / len(ordinary)


def bin_edges(values: np.ndarray) -> list[float]:
    """Choose round edges for at most 10 bins; outliers fall into the outer bins."""
    low, high = np.percentile(values, [0.5, 99.5])
    # Two bins are spare: neither end of the range need be round.
    width = _round_up((high - low or high or 1.0) / (_MOST_BINS - 2))
    first = math.floor(low / width) + 1
    last = max(first, math.ceil(high / width) - 1)
    return [round(index * width, 9) for index in range(first, last + 1)]


def _round_up(value: float) -> float:
    """Return the next number of the kind 1, 2, 2.5 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 2.5, 5, 10) if step * power >= value)


def _percentiles(values: Sequence[float] | np.ndarray) -> dict[int, float]:
    found = np.percentile(values, PERCENTILES)
    return dict(zip(PERCENTILES, found.tolist(), strict=True))


def _histogram(values: Sequence[float] | np.ndarray, edges: list[float]) -> Histogram:
    bins = np.searchsorted(edges, values, side="right")
    return Histogram(edges, np.bincount(bins, minlength=len(edges) + 1).tolist())
