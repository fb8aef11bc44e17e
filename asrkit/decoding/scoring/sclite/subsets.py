"""Error counts of the subsets that an stm's labels name."""

from collections.abc import Iterator

from asrkit.decoding.scoring.breakdown import Group, sum_group
from asrkit.decoding.scoring.sclite.marked import MarkedSet
from asrkit.decoding.scoring.score import Score, WordAlignment


def subset_groups(marked: MarkedSet, score: Score) -> Iterator[tuple[str, list[Group]]]:
    """Return each category's title and its subsets' counts.

    Subsets are in the order of the file's LABEL lines; those that none defines follow.
    """
    labels = {one.id: one.labels for one in marked.utterances}
    places = max(map(len, labels.values()), default=0)
    for place in range(places):
        members: dict[str, list[WordAlignment]] = {label: [] for label in marked.titles}
        for one in score.alignments:
            label = "".join(labels[one.id][place : place + 1])
            if label:  # `<o,,male>` is in no subset of the second category
                members.setdefault(label, []).append(one)
        groups = [
            sum_group(marked.titles.get(label) or label, found)
            for label, found in members.items()
            if found
        ]
        if groups:
            title = marked.categories[place] if place < len(marked.categories) else ""
            yield title or "subset", groups
