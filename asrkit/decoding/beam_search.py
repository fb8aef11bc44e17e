"""Time-synchronous beam search with several labels a frame."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from asrkit.decoding.durations.beam import JumpingBeamState
from asrkit.decoding.frontier import Frontier, collect
from asrkit.decoding.fusion.fusion import NO_FUSION, Fusion
from asrkit.decoding.joint import Joint
from asrkit.decoding.search import NBest, TransducerBeam, TransducerBeamConfig
from asrkit.decoding.trace import Trace
from asrkit.models.asr_model import AsrModel
from asrkit.transducer.rules import Topology
from asrkit.utils.errors import InputError
from asrkit.utils.ranges import check_range


@dataclass(kw_only=True)
class BeamSearchConfig(TransducerBeamConfig):
    """Time-synchronous beam search with several labels a frame."""

    name = "beam_search"
    jumps = True

    max_symbols: int = 10
    """Most labels that one frame may emit. Short tokens come several in a frame: with
    too few the beam loses words, and a search that needs fewer takes no longer."""

    def __post_init__(self) -> None:
        """Check the values."""
        super().__post_init__()
        check_range(self, "decode", "max_symbols", least=1)

    def fit(self, paths: Topology | None) -> "BeamSearchConfig":
        """Refuse paths with at most one label a frame."""
        if paths not in (None, Topology.REGULAR):
            raise InputError(
                f"decode=beam_search emits several labels a frame, but this run trains "
                f"loss.topology={paths.name}, at most one; choose "
                "decode=modified_beam_search"
            )
        return self

    def build(self, fusion: Fusion = NO_FUSION) -> "BeamSearch":
        """Make the search."""
        return BeamSearch(
            self.beam,
            self.nbest,
            max_symbols=self.max_symbols,
            prune=self.prune,
            blank_penalty=self.blank_penalty,
            fusion=fusion,
        )


class BeamSearch(TransducerBeam):
    """Sums the paths of the regular topology that lead to each text in the beam.

    In a frame, hypotheses emit labels one after the other; after every number of labels
    blank takes them to the next frame. All that arrive there are put together, equal
    texts added, and the best taken. A hypothesis that is worse than all of the beam
    that has arrived goes no further.

    Utterances do not wait for each other: a step evaluates the hypotheses of each at
    its own frame, and takes the utterance to another label or to the next frame. So
    there are as many steps as the slowest utterance needs.

    With a joiner that has durations the paths are those of `JumpingBeamState`.

    Args:
        beam: As the rest, see `TransducerBeam`.
        nbest: Hypotheses that are returned.
        max_symbols: Most labels that one frame may emit.
        prune: How much worse than the best a hypothesis may be.
        blank_penalty: Taken from blank's logit.
        fusion: Added to the scores of labels.
    """

    def __init__(
        self,
        beam: int,
        nbest: int = 1,
        *,
        max_symbols: int = 10,
        prune: float = float("inf"),
        blank_penalty: float = 0.0,
        fusion: Fusion = NO_FUSION,
    ) -> None:
        super().__init__(
            beam, nbest, prune=prune, blank_penalty=blank_penalty, fusion=fusion
        )
        self.max_symbols = max_symbols

    @torch.inference_mode()
    def __call__(
        self, model: AsrModel, enc_out: Tensor, enc_lens: Tensor
    ) -> list[NBest]:
        """Search enc_out (B, T, D) of enc_lens (B,)."""
        if model.joiner.durations:
            state = JumpingBeamState(
                model,
                enc_out,
                enc_lens,
                beam=self.beam,
                max_symbols=self.max_symbols,
                prune=self.prune,
                blank_penalty=self.blank_penalty,
                fusion=self.fusion,
            )
            return collect(state.run(), state.trace, self.nbest)
        loop = _BeamState(model, enc_out, enc_lens, self)
        while len(loop.active):
            loop.step()
        return collect(Frontier.join(loop.done), loop.trace, self.nbest)


class _BeamState:
    """The state of all utterances; a step changes it in place.

    Args:
        model: The recognizer.
        enc_out: (B, T, D).
        enc_lens: (B,).
        search: Its settings.
    """

    def __init__(
        self, model: AsrModel, enc_out: Tensor, enc_lens: Tensor, search: BeamSearch
    ) -> None:
        self.search = search
        self.joint = Joint(model, len(enc_out), search.blank_penalty, search.fusion)
        self.joint.hear(enc_out)
        self.trace = Trace()
        self.lens = enc_lens.cpu().numpy()
        self.frame = np.zeros_like(self.lens)
        self.depth = np.zeros_like(self.lens)  # labels emitted in this frame
        # Scores that have arrived at the next frame: the last K are the best, rising.
        B, K = len(self.lens), search.beam
        self.arrived = np.full((B, 2 * K), -np.inf, dtype=np.float32)
        self.active = Frontier.start(B)
        self.pool = self.active.pick(np.arange(0))  # all that has arrived there
        self.done: list[Frontier] = []
        self._leave()

    def step(self) -> None:
        """Take every utterance to another label of its frame, or to the next frame."""
        active, frame = self.active, self.frame[self.active.utterance]
        # Graves (2012), section 2.6, algorithm 1: a text leaves a frame by blank after
        # any number of labels; here a step appends a label to all of them at once.
        heard = self.joint(active, frame)
        arrived = replace(active, score=active.score + heard.blank)
        worst = self._worst(arrived)[active.utterance]
        wanted = heard.scores > (worst - active.score)[:, None]
        fresh = active.extend(heard, wanted, frame, self.trace, self.joint.contexts)
        closing = self.frame < self.lens
        closing[fresh.utterance] = False
        pool = Frontier.join([self.pool, arrived])
        leaving, self.pool = pool.part(closing[pool.utterance])
        both = Frontier.join([fresh, leaving.merge()])
        self.active = both.best(self.search.beam, self.search.prune)
        self.joint.fused.advance(self.pool, self.active)
        self.frame += closing
        self.depth = np.where(closing, 0, self.depth + 1)
        self.arrived[closing] = -np.inf
        self._leave()

    def _worst(self, arrived: Frontier) -> np.ndarray:
        """Return what a hypothesis has to be better than to go on in its frame, (B,).

        Judged for each utterance, so that none depends on its batch.
        """
        K = self.search.beam
        B = len(self.arrived)
        self.arrived[:, :K] = arrived.spread(arrived.score, B, K, -np.inf)
        self.arrived.sort(axis=1)
        best = self.arrived[:, -1]
        worst = np.maximum(self.arrived[:, K], best - np.float32(self.search.prune))
        worst[self.depth == self.search.max_symbols] = np.inf
        return worst

    def _leave(self) -> None:
        """Put aside the hypotheses of utterances that have ended."""
        over = self.frame == self.lens
        if over[self.active.utterance].any():
            ended, self.active = self.active.part(over[self.active.utterance])
            self.done.append(self.joint.fused.end(ended))
