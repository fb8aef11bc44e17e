"""The losses of torchaudio and k2 behind our names."""

import torch
from torch import Tensor

from asrkit.transducer.backends import Backend, import_package
from asrkit.transducer.rules import Rules, Topology
from asrkit.utils.errors import InputError


def peer_losses(
    backend: Backend,
    logits: Tensor,
    tokens: Tensor,
    enc_lens: Tensor,
    token_lens: Tensor,
    rules: Rules,
) -> Tensor:
    """Return the loss of each utterance, (B,), by another package.

    Raises:
        InputError: It is not installed or does not know the rules.
    """
    if rules.fastemit or rules.hat or rules.durations:
        raise InputError(
            f"backend={backend.value} has no fastemit, hat or durations; choose "
            "backend=torch"
        )
    # The peers want tensors that are no longer than the longest utterance.
    frames, labels = int(enc_lens.max()), int(token_lens.max())
    logits = logits[:, :frames, : labels + 1].float().contiguous()
    tokens = tokens[:, :labels]
    if backend is Backend.K2:
        return _k2_losses(logits, tokens, enc_lens, token_lens, rules)
    if rules.topology is not Topology.REGULAR or rules.delay_penalty:
        raise InputError(
            "backend=torchaudio knows the regular topology without delay penalty only; "
            "choose backend=torch"
        )
    import_package("torchaudio")
    from torchaudio.functional import rnnt_loss

    losses: Tensor = rnnt_loss(
        logits,
        tokens.int().contiguous(),
        enc_lens.int(),
        token_lens.int(),
        blank=rules.blank_id,
        reduction="none",
    )
    return losses


def _k2_losses(
    logits: Tensor, tokens: Tensor, enc_lens: Tensor, token_lens: Tensor, rules: Rules
) -> Tensor:
    """Return the loss of each utterance, (B,), by k2."""
    k2 = import_package("k2")
    zeros = torch.zeros_like(enc_lens)
    types = {Topology.MONOTONIC: "modified"}
    losses: Tensor = k2.rnnt_loss(
        logits,
        tokens,
        rules.blank_id,
        torch.stack([zeros, zeros, token_lens, enc_lens], dim=1),
        rnnt_type=types.get(rules.topology, rules.topology.value),
        delay_penalty=rules.delay_penalty,
        reduction="none",
    )
    return losses
