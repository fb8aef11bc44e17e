"""The warnings of the data report: what is odd about a corpus and what to do."""

from collections import Counter
from collections.abc import Iterable, Sequence

from asrkit.data.report_checks import Problem, Role
from asrkit.data.report_parts import PartFacts, PartReport

_MOST_EXAMPLES = 3
_MOST_LACKING = 10
_LOW_COVERAGE = 0.5

_ADVICE = {
    Problem.EMPTY_TEXT: "Write their transcripts or drop them from the corpus.",
    Problem.NO_PATH: (
        "See whether text and audio belong together; if they do, longer pieces "
        "(a larger tokenizer.vocab_size) need fewer frames."
    ),
    Problem.SILENT: "Listen to the recordings; the wrong channel is a common cause.",
    Problem.TOO_SHORT: "A lower min_duration takes them in.",
    Problem.TOO_LONG: "A higher max_duration_of_utterance takes them in.",
    Problem.MISSING: "Normalize the transcripts, or train the tokenizer again.",
    Problem.CLIPPED: "Lower the recording level if there are many.",
}


def list_warnings(
    all_facts: Sequence[PartFacts], reports: Sequence[PartReport]
) -> list[str]:
    """Return what is odd about the corpus, the most telling first."""
    train = [facts for facts in all_facts if facts.role is Role.TRAIN]
    return [
        *_nothing_left(all_facts),
        *_shared_speakers(train, all_facts),
        *_shared_sentences(train, all_facts),
        *(warning for facts in all_facts for warning in _problems(facts)),
        *_sampling_rates(reports),
        *_coverage(reports),
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
                f"also in train ({_some(shared)}): expect a higher word error rate "
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


def _problems(facts: PartFacts) -> list[str]:
    warnings = []
    for left_out in (True, False):
        flagged = facts.left_out if left_out else facts.kept
        counts = Counter(problem for found in flagged for problem in found.problems)
        for problem in Problem:
            if counts[problem]:
                ids = [found.id for found in flagged if problem in found.problems]
                warnings.append(_problem(facts, problem, ids, left_out))
    return warnings


def _problem(facts: PartFacts, problem: Problem, ids: list[str], left_out: bool) -> str:
    details = ""
    if problem is Problem.MISSING:
        common = facts.lacking.most_common(_MOST_LACKING)
        details = f" ({', '.join(f'{piece}: {count}' for piece, count in common)})"
    fate = "left out" if left_out else "kept"
    if facts.role is Role.TEST:
        fate = "decoded all the same"
    noun = "utterance" if len(ids) == 1 else "utterances"
    return (
        f"{facts.part}: {len(ids):,} {noun} {fate}: {problem.value}{details}; "
        f"{_some(ids)}. {_ADVICE[problem]}"
    )


def _sampling_rates(reports: Sequence[PartReport]) -> list[str]:
    rates: Counter[int] = Counter()
    for report in reports:
        rates.update(report.sampling_rates)
    if len(rates) == 1:
        return []
    listed = ", ".join(f"{rate} Hz: {count:,}" for rate, count in rates.most_common())
    return [
        f"Several sampling rates ({listed}). Recordings of a lower rate lack the high "
        "frequencies; see that train has them too if test does."
    ]


def _coverage(reports: Sequence[PartReport]) -> list[str]:
    return [
        f"{report.part}: only {100 * report.vocabulary_coverage:.0f} % of the "
        "tokenizer's pieces occur. A tokenizer of fewer pieces, trained on these "
        "transcripts, is easier to learn."
        for report in reports
        if report.role is Role.TRAIN and report.vocabulary_coverage < _LOW_COVERAGE
    ]


def _and(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names)


def _some(names: Iterable[str]) -> str:
    names = list(names)
    more = len(names) - _MOST_EXAMPLES
    shown = ", ".join(names[:_MOST_EXAMPLES])
    return f"{shown} and {more:,} more" if more > 0 else shown
