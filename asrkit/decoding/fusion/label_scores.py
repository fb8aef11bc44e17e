"""What is fused in a search, as the score of whole label sequences."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from asrkit.decoding.fusion.fusion import Fusion


@torch.inference_mode()
def score_labels(
    fusion: Fusion, sequences: Sequence[Sequence[int]], device: torch.device
) -> list[float]:
    """Return the fused log-score of each sequence of labels, with that of its end.

    It is the sum that a search adds to the recognizer's score on its way there.
    """
    if not fusion:
        return [0.0] * len(sequences)
    rows = [torch.tensor(one, dtype=torch.int64) for one in sequences]
    tokens: Tensor = pad_sequence(rows, batch_first=True).to(device)
    states = fusion.start(len(rows), device)
    total = torch.zeros(len(rows), device=device)
    for labels in tokens.unbind(dim=1):  # 0, in the padding, scores 0
        total += fusion.scores(states).gather(1, labels[:, None])[:, 0]
        states = fusion.advance(states, labels)
    return (total + fusion.final(states)).tolist()
