"""Where a modified beam search stands: the same for whole utterances and streams."""

from collections.abc import Collection
from itertools import takewhile

import numpy as np
import torch
from torch import Tensor

from asrkit.decoding.frontier import Frontier, NextLabels, collect
from asrkit.decoding.fusion.fusion import Fusion
from asrkit.decoding.joint import Joint
from asrkit.decoding.search import NBest
from asrkit.decoding.trace import Trace
from asrkit.models.asr_model import AsrModel


class ModifiedBeamState:
    """Searches B streams, bit by bit; each has its own hypotheses and place in time.

    What all hypotheses of a stream begin with stays; after it the best may change.

    Args:
        model: The recognizer.
        batch_size: Streams, B.
        beam: Hypotheses of each that are kept, K.
        nbest: Hypotheses that are returned.
        prune: How much worse than the best a hypothesis may be.
        blank_penalty: Taken from blank's logit.
        fusion: Added to the scores of labels.
    """

    @torch.inference_mode()
    def __init__(
        self,
        model: AsrModel,
        batch_size: int,
        *,
        beam: int,
        nbest: int,
        prune: float,
        blank_penalty: float,
        fusion: Fusion,
    ) -> None:
        self.beam = beam
        self.nbest = nbest
        self.prune = prune
        self.joint = Joint(model, batch_size, blank_penalty, fusion)
        self.trace = Trace()
        self.hypotheses = Frontier.start(batch_size)
        self.consumed = np.zeros(batch_size, dtype=np.int64)  # frames of each stream

    @torch.inference_mode()
    def advance(self, enc_out: Tensor, enc_lens: Tensor) -> None:
        """Consume the next frames of each stream.

        Args:
            enc_out: (B, T, D).
            enc_lens: (B,), int64; 0 for a stream that stands still.
        """
        # What was dropped is forgotten, so that no stream lasts too long.
        self.hypotheses.node[:] = self.trace.keep(self.hypotheses.node)
        self.joint.hear(enc_out)
        lens = enc_lens.cpu().numpy()
        for t in range(lens.max(initial=0)):
            going = (t < lens)[self.hypotheses.utterance]
            active, waiting = self.hypotheses.part(going)
            active = self._step(active, t)
            self.joint.fused.advance(waiting, active)
            self.hypotheses = Frontier.join([waiting, active])
        self.consumed += lens

    @torch.inference_mode()
    def found(self) -> list[NBest]:
        """Return the best of what each stream may have said, as if it ended here.

        Frames count from where the stream began.
        """
        ended = self.joint.fused.end(self.hypotheses)
        return collect(ended, self.trace, self.nbest)

    def settled(self) -> list[int]:
        """Count the labels of each stream that all of its hypotheses begin with.

        No frame that comes takes them back.
        """
        lists = collect(self.hypotheses, self.trace, self.beam)
        return [_common([one.tokens for one in nbest]) for nbest in lists]

    @torch.inference_mode()
    def reset(self, rows: Collection[int]) -> None:
        """Begin new streams in these rows."""
        if not rows:
            return
        places = sorted(rows)
        fresh = Frontier.start(len(self.consumed)).pick(np.array(places, dtype=int))
        others = ~np.isin(self.hypotheses.utterance, places)
        kept = self.hypotheses.pick(np.flatnonzero(others))
        self.joint.fused.begin(kept, fresh)
        self.hypotheses = Frontier.join([kept, fresh])
        self.consumed[places] = 0

    def _step(self, active: Frontier, t: int) -> Frontier:
        """Consume frame t, of those that came last, of some streams."""
        B = len(self.consumed)
        heard = self.joint(active, np.full(len(active), t))
        frame = self.consumed[active.utterance] + t
        stay = self._stay(active, heard, frame)
        scores = stay.spread(stay.score, B, self.beam, -np.inf)
        # K texts are there already: nothing that is worse than all of them counts.
        pruned = scores.max(axis=1) - np.float32(self.prune)
        worst = np.maximum(scores.min(axis=1), pruned)[active.utterance]
        wanted = heard.scores > (worst - active.score)[:, None]
        fresh = active.extend(heard, wanted, frame, self.trace, self.joint.contexts)
        return Frontier.join([stay, fresh]).best(self.beam, self.prune)

    def _stay(self, active: Frontier, heard: NextLabels, frame: np.ndarray) -> Frontier:
        """Return the hypotheses after the paths that keep or reach their texts.

        A text is reached by blank from itself and by its last label from the text
        before: both paths count. Takes those labels out of `heard`.
        """
        score, facts = active.score + heard.blank, active.facts.copy()
        source, target = active.predecessors(len(self.consumed), self.beam)
        last = active.last[target]
        by_label = active.score[source] + heard.scores[source, last]
        by_blank = score[target]
        # alpha(t + 1, y) = alpha(t, y) p(blank | t, y) + alpha(t, y') p(y_U | t, y'),
        # with y' the text y without its last label: the monotonic lattice of a text, as
        # far as the beam holds its beginnings.
        score[target] = np.logaddexp(by_blank, by_label)
        stay = Frontier(score, facts)
        # The better path tells when the last label came.
        better = np.flatnonzero(by_label > by_blank)
        labels, log_probs = last[better], heard.log_probs[source, last][better]
        before = active.node[source[better]]
        nodes = self.trace.add(before, labels, frame[source[better]], log_probs)
        stay.node[target[better]] = nodes
        heard.scores[source, last] = -np.inf
        return stay


def _common(texts: list[list[int]]) -> int:
    """Count the labels that all texts begin with."""
    columns = zip(*texts, strict=False)
    return sum(1 for _ in takewhile(lambda column: len(set(column)) == 1, columns))
