"""torchaudio's beam search over asrkit's models: an independent peer."""

import torch


class AsTorchaudio(torch.nn.Module):
    """A recognizer as RNNTBeamSearch calls it; blank is the last token there."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def transcribe(self, enc_out, lengths):
        return enc_out, lengths

    def predict(self, targets, lengths, state):
        size = self.model.predictor.context_size
        if state is None:
            context = torch.zeros(len(targets), size, dtype=torch.int64)
        else:
            context = torch.cat([state[0][0][:, 1:], targets + 1], dim=1)
        pred_out = self.model.predictor.contexts(context)
        return pred_out, lengths, [[context]]

    def join(self, enc_out, enc_lens, pred_out, pred_lens):
        joiner = self.model.joiner
        logits = joiner(
            joiner.enc_proj(enc_out)[:, :, None], joiner.pred_proj(pred_out)[:, None]
        )
        return logits.roll(-1, dims=-1), enc_lens, pred_lens


@torch.inference_mode()
def torchaudio_beam(model, enc_out, beam, max_symbols):
    """Return (tokens, score), the best first, of enc_out (T, D)."""
    from torchaudio.models import RNNTBeamSearch

    search = RNNTBeamSearch(
        AsTorchaudio(model),
        blank=model.vocab_size - 1,
        hypo_sort_key=lambda hypothesis: hypothesis[3],
        step_max_tokens=max_symbols,
    )
    found = search(enc_out, torch.tensor(len(enc_out)), beam)
    return [([token + 1 for token in tokens[1:]], score) for tokens, *_, score in found]
