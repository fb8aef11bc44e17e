"""Beam search over a graph, by k2 (Kuang et al., 2022, section 5)."""

from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from asrkit.decoding.fusion.fusion import NO_FUSION, Fusion
from asrkit.decoding.search import Hypothesis, NBest, SearchConfig
from asrkit.models.asr_model import AsrModel
from asrkit.utils.errors import InputError
from asrkit.utils.ranges import check_range

_NEVER = -1e10  # log-probability of what cannot be; finite, as sums of it are taken


@dataclass(kw_only=True)
class FastBeamSearchConfig(SearchConfig):
    """Beam search over a graph, by k2."""

    name = "fast_beam_search"
    needs = "transducer"

    graph: str | None = None
    """Decoding graph over tokens (LG.pt, as torch.save(fsa.as_dict()) writes it); null:
    any sequence of tokens."""
    score_beam: float = 20.0
    """Log-score by which a state may be worse than the best of its frame."""
    max_contexts: int = 8
    """Most contexts of an utterance in a frame."""
    max_states: int = 64
    """Most states of the graph of an utterance in a frame."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        super().__post_init__()
        check_range(self, "decode", "score_beam", above=0)
        check_range(self, "decode", "max_contexts", "max_states", least=1)

    def build(self, fusion: Fusion = NO_FUSION) -> "FastBeamSearch":
        """Make the search.

        Raises:
            InputError: k2 is not installed, the graph cannot be read, or something is
                to be fused.
        """
        if fusion:
            raise InputError(
                "decode=fast_beam_search takes its language model as decode.graph; "
                "decode.fusion goes with the other beams"
            )
        return FastBeamSearch(
            import_k2(),
            self.graph,
            blank_penalty=self.blank_penalty,
            limits={
                "beam": self.score_beam,
                "max_contexts": self.max_contexts,
                "max_states": self.max_states,
            },
        )


def import_k2() -> ModuleType:
    """Return k2.

    Raises:
        InputError: It is not installed.
    """
    try:
        import k2
    except ImportError as error:
        raise InputError(
            f"decode=fast_beam_search needs k2 ({error}); https://k2-fsa.github.io/k2 "
            "lists wheels by torch version, and decode=beam_search needs none"
        ) from error
    module: ModuleType = k2
    return module


class FastBeamSearch:
    """Finds the best path through a lattice that k2 builds frame by frame.

    At most one label a frame, as in `ModifiedBeamSearch`.

    Args:
        k2: The package.
        graph: File of the decoding graph, or None for any sequence of tokens.
        blank_penalty: Taken from blank's logit.
        limits: Arguments of k2.RnntDecodingConfig: beam, max_contexts, max_states.
    """

    def __init__(
        self,
        k2: ModuleType,
        graph: str | None,
        *,
        blank_penalty: float,
        limits: dict[str, float],
    ) -> None:
        self.k2 = k2
        self.blank_penalty = blank_penalty
        self.limits = limits
        self.graph = None if graph is None else self._read(Path(graph))

    def _read(self, path: Path) -> Any:
        """Read a decoding graph."""
        try:
            return self.k2.Fsa.from_dict(torch.load(path, weights_only=True))
        except (OSError, RuntimeError, KeyError) as error:
            raise InputError(f"cannot read the graph {path}: {error}") from error

    # k2 asks tensors for their versions, which those of inference mode do not have.
    @torch.inference_mode(False)
    @torch.no_grad()
    def __call__(
        self, model: AsrModel, enc_out: Tensor, enc_lens: Tensor
    ) -> list[NBest]:
        """Search enc_out (B, T, D) of enc_lens (B,)."""
        B, T, _ = enc_out.shape
        if not B * T:  # k2 opens no empty list of streams, and none without a frame
            return [[Hypothesis([], [], [], 0.0)] for _ in range(B)]
        enc_proj = model.joiner.enc_proj(enc_out)
        streams = self._streams(model, enc_out)
        # format_output leaves out the last frame that it is asked for: there is one
        # more than the audio has.
        for t in range(T + 1):
            streams.advance(self._log_probs(model, enc_proj, enc_lens, streams, t))
        streams.terminate_and_flush_to_streams()
        lattice = streams.format_output((enc_lens + 1).tolist())
        best = self.k2.shortest_path(lattice, use_double_scores=True)
        totals = best.get_tot_scores(use_double_scores=True, log_semiring=False)
        paths = best.arcs.shape().remove_axis(1)
        # Columns of the arcs; k2 takes no tensor with gaps.
        labels = self.k2.RaggedTensor(paths, best.labels.contiguous()).tolist()
        scores = self.k2.RaggedTensor(paths, best.scores.contiguous()).tolist()
        rows = zip(labels, scores, totals.tolist(), strict=True)
        return [[read_path(*row)] for row in rows]

    def _log_probs(
        self, model: AsrModel, enc_proj: Tensor, enc_lens: Tensor, streams: Any, t: int
    ) -> Tensor:
        """Return log-probabilities of frame t for the contexts of all streams, (N, V).

        An utterance that has ended gets blanks for certain, so that what follows it in
        a batch prunes nothing of it.
        """
        shape, contexts = streams.get_contexts()
        owner = shape.row_ids(1).long()
        pred_out = model.predictor.after(contexts.long())
        log_probs = model.joiner.log_probs(
            enc_proj[owner, min(t, enc_proj.shape[1] - 1)],
            model.joiner.pred_proj(pred_out),
            blank_penalty=self.blank_penalty,
        ).float()
        blank = torch.full_like(log_probs[0], _NEVER)
        blank[0] = 0.0
        return torch.where((t >= enc_lens[owner])[:, None], blank, log_probs)

    def _streams(self, model: AsrModel, enc_out: Tensor) -> Any:
        """Open a stream for each utterance."""
        k2 = self.k2
        graph = self.graph
        if graph is None:
            graph = k2.trivial_graph(model.vocab_size - 1, device=enc_out.device)
        config = k2.RnntDecodingConfig(
            vocab_size=model.vocab_size,
            decoder_history_len=model.predictor.context_size,
            **self.limits,
        )
        graph = graph.to(enc_out.device)
        streams = [k2.RnntDecodingStream(graph) for _ in range(len(enc_out))]
        return k2.RnntDecodingStreams(streams, config)


def read_path(labels: list[int], scores: list[float], total: float) -> Hypothesis:
    """Read a path, an arc a frame: labels, 0 for blank, -1 at the end."""
    frames = [t for t, label in enumerate(labels) if label > 0]
    confidences = torch.tensor([scores[t] for t in frames]).clamp(max=0.0).exp()
    return Hypothesis([labels[t] for t in frames], frames, confidences.tolist(), total)
