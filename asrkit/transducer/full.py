"""The exact transducer loss from logits over the whole lattice."""

from enum import Enum

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx

from asrkit.transducer.checks import check_lattice_input
from asrkit.transducer.lattice import lattice
from asrkit.utils.errors import InputError


class Backend(str, Enum):
    """Who computes a loss."""

    AUTO = "auto"
    """torchaudio on a GPU, torch elsewhere: the faster of the two."""
    TORCH = "torch"
    """Our own wavefront with a merged gradient."""
    TORCHAUDIO = "torchaudio"
    """torchaudio's rnnt_loss."""


def transducer_loss(
    logits: Tensor,
    tokens: Tensor,
    enc_lens: Tensor,
    token_lens: Tensor,
    *,
    blank_id: int = 0,
    reduction: str = "sum",
    backend: Backend | str = Backend.AUTO,
) -> Tensor:
    """Negative log-likelihood of the transcripts, summed over all alignments.

    The regular topology of Graves (2012): a label stays on its frame, blank goes to
    the next one. Computed in float32 or better, whatever the type of `logits`.

    Args:
        logits: Joiner output, (B, T, U + 1, V), unnormalised.
        tokens: Transcripts, (B, U), int64, without blank in the first `token_lens`.
        enc_lens: Valid frames, (B,), int64.
        token_lens: Valid labels, (B,), int64.
        blank_id: Token id of blank.
        reduction: "sum", "mean" (over utterances) or "none".
        backend: Who computes it.

    Returns:
        A scalar, or (B,) with reduction "none".

    Raises:
        ValueError: A length, a token or the reduction is out of range.
        InputError: The backend cannot be imported.
    """
    check_lattice_input(logits.shape, tokens, enc_lens, token_lens, blank_id=blank_id)
    backend = Backend(backend)
    if backend is Backend.AUTO:
        backend = Backend.TORCHAUDIO if logits.is_cuda else Backend.TORCH
    if backend is Backend.TORCHAUDIO:
        losses = _torchaudio_loss(logits, tokens, enc_lens, token_lens, blank_id)
    else:
        losses = MergedLoss.apply(logits, tokens, enc_lens, token_lens, blank_id)
    match reduction:
        case "sum":
            return losses.sum()
        case "mean":
            return losses.mean()
        case "none":
            return losses
    raise ValueError(f'reduction must be "sum", "mean" or "none", got {reduction!r}')


class MergedLoss(torch.autograd.Function):
    """Log-softmax, gather and loss in one function (Li et al., 2019).

    The lattice needs two numbers a cell, the log-probabilities of blank and of the
    next label; the gradient with respect to a logit follows from the two arcs'
    occupations: softmax_k (g_blank + g_label) - [k = blank] g_blank - [k = label]
    g_label. Nothing of the size of the logits is kept but the logits.
    """

    @staticmethod
    def forward(
        ctx: FunctionCtx,
        logits: Tensor,
        tokens: Tensor,
        enc_lens: Tensor,
        token_lens: Tensor,
        blank_id: int,
    ) -> Tensor:
        """Return the loss of each utterance, (B,)."""
        normalizer = logits.to(_dtype(logits)).logsumexp(dim=-1)
        index = tokens[:, None, :, None].expand(-1, logits.shape[1], -1, -1)
        label = logits[:, :, :-1].gather(3, index).squeeze(3) - normalizer[:, :, :-1]
        blank = logits[..., blank_id] - normalizer
        paths = lattice(blank, label, enc_lens, token_lens)
        ctx.save_for_backward(
            logits, normalizer, index, paths.blank_occupation, paths.label_occupation
        )
        ctx.blank_id = blank_id  # type: ignore[attr-defined]
        return -paths.log_likelihood

    @staticmethod
    def backward(ctx: FunctionCtx, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradient with respect to the logits."""
        logits, normalizer, index, blank, label = ctx.saved_tensors  # type: ignore[attr-defined]
        scale = grad_outputs[0][:, None, None]
        blank, label = blank * scale, label * scale
        grad = (logits - normalizer[..., None]).exp_()
        cell = blank.clone()
        cell[:, :, :-1] += label
        grad *= cell[..., None]
        grad[..., ctx.blank_id] -= blank  # type: ignore[attr-defined]
        grad[:, :, :-1].scatter_add_(3, index, -label[..., None])
        return grad.to(logits.dtype), None, None, None, None


def _dtype(logits: Tensor) -> torch.dtype:
    """Return the type to compute in: float32 or better."""
    return torch.promote_types(logits.dtype, torch.float32)


def _torchaudio_loss(
    logits: Tensor, tokens: Tensor, enc_lens: Tensor, token_lens: Tensor, blank_id: int
) -> Tensor:
    """Return the loss of each utterance, (B,), by torchaudio."""
    try:
        from torchaudio.functional import rnnt_loss
    except (ImportError, OSError, RuntimeError) as error:
        raise InputError(
            f"loss.backend=torchaudio cannot import torchaudio ({error}); install the "
            "versions that pyproject.toml names: pip install -e ."
        ) from error

    # torchaudio wants tensors that are no longer than the longest utterance.
    frames, labels = int(enc_lens.max()), int(token_lens.max())
    losses: Tensor = rnnt_loss(
        logits[:, :frames, : labels + 1].float().contiguous(),
        tokens[:, :labels].int().contiguous(),
        enc_lens.int(),
        token_lens.int(),
        blank=blank_id,
        reduction="none",
    )
    return losses
