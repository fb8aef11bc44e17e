"""What alignments look like: averages, what to be suspicious of, pictures."""

import io
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from lhotse import CutSet
from lhotse.cut import Cut
from PIL import Image
from torch import Tensor

from asrkit.data.attached.rows import Row, read_rows
from asrkit.data.batches.batch import collate
from asrkit.pipeline.decode.recognizer import Recognizer
from asrkit.pipeline.stages.stage_run import StageRun
from asrkit.pipeline.tasks.attached import both
from asrkit.pipeline.tasks.picture import draw_emissions
from asrkit.training.progress.tensorboard import Evaluation, TensorBoardLog
from asrkit.utils.files import atomic_write

logger = logging.getLogger(__name__)

_FAR = 4.0  # standard deviations below the mean
_MOST = 50  # utterances that are listed


def report_alignments(
    run: StageRun, recognizer: Recognizer, folder: Path, pictures: int
) -> dict[str, float]:
    """Write report.txt and alignments.png, also for TensorBoard; return averages.

    Args:
        run: The stage.
        recognizer: What has aligned.
        folder: Of the alignments.
        pictures: Utterances to draw.
    """
    rows = list(read_rows(folder))
    aligned = [row for row in rows if row["frames"] is not None]
    lost = [row["id"] for row in rows if row["frames"] is None]
    frames = sum(row["num_frames"] for row in aligned)
    labels = sum(len(row["frames"]) for row in aligned)
    facts = {
        "utterances": len(rows),
        "without_path": len(lost),
        "score_per_frame": round(sum(r["score"] for r in aligned) / max(frames, 1), 4),
        "blank_share": round(1.0 - labels / max(frames, 1), 4),
    }
    suspicious = find_suspicious(aligned)
    text = _render(facts, lost, suspicious)
    with atomic_write(run.folder / "report.txt", "w") as file:
        file.write(text)
    logger.info("%s\nwritten to %s", text.rstrip(), run.folder / "report.txt")
    _draw(run, recognizer, aligned, suspicious, pictures, text)
    return facts


def find_suspicious(rows: Sequence[Row]) -> list[tuple[str, float]]:
    """Return utterances whose score per frame is far below the others', worst first.

    Their transcript is likely to be wrong, or the audio cut off.
    """
    if not rows:
        return []
    scores = np.array([row["score"] / max(row["num_frames"], 1) for row in rows])
    # Median and quartiles: the bad ones shall not widen what they are judged by.
    low, middle, high = np.percentile(scores, [25, 50, 75])
    limit = middle - _FAR * max((high - low) / 1.349, 1e-3)
    worst = [i for i in np.argsort(scores, kind="stable") if scores[i] < limit]
    return [(rows[i]["id"], float(scores[i])) for i in worst]


def _render(
    facts: dict[str, float], lost: list[str], suspicious: list[tuple[str, float]]
) -> str:
    """Write what there is to know as text."""
    lines = [
        f"{facts['utterances']} utterances aligned, log-probability per frame "
        f"{facts['score_per_frame']:.3f}, {100 * facts['blank_share']:.1f} % of the "
        "frames blank"
    ]
    if lost:
        lines.append(f"{len(lost)} without a path, left out of later stages:")
        lines += [f"  {utterance}" for utterance in lost[:_MOST]]
    lines.append(
        f"{len(suspicious)} suspicious (score per frame far below the others'; is the "
        "transcript right?)" + (":" if suspicious else "")
    )
    lines += [f"  {utterance}  {score:.3f}" for utterance, score in suspicious[:_MOST]]
    return "\n".join(lines) + "\n"


def _draw(
    run: StageRun,
    recognizer: Recognizer,
    rows: Sequence[Row],
    suspicious: Sequence[tuple[str, float]],
    count: int,
    text: str,
) -> None:
    """Draw some alignments, evenly taken; the most suspicious one first."""
    step = max(1, len(rows) // max(count, 1))
    chosen = {row["id"]: row for row in rows[::step][:count]}
    by_id = {row["id"]: row for row in rows}
    for utterance, _ in suspicious[:1] if count else []:
        chosen = {utterance: by_id[utterance], **chosen}
    chosen = dict(list(chosen.items())[:count])
    cuts = [cut for cut in both(run) if cut.id in chosen]
    drawn = {cut.id: _picture(run, recognizer, chosen[cut.id], cut) for cut in cuts}
    log = TensorBoardLog(run.folder / "tensorboard")
    log.dev(Evaluation({}, {"alignments": f"```\n{text}```"}, drawn), 0)
    log.close()
    if drawn:
        width = max(picture.shape[2] for picture in drawn.values())
        padded = [
            torch.nn.functional.pad(p, (0, width - p.shape[2]), value=255)
            for p in drawn.values()
        ]
        _write_png(torch.cat(padded, dim=1), run.folder / "alignments.png")


def _picture(run: StageRun, recognizer: Recognizer, row: Row, cut: Cut) -> Tensor:
    """Draw one alignment over its features."""
    batch = collate(
        CutSet.from_cuts([cut]),
        run.tokenizer,
        run.config.features.sampling_rate,
        stored_features=run.config.data.stored_features,
    ).to(recognizer.device)
    feats, _ = batch.features(recognizer.features)
    pieces = [recognizer.tokenizer.tokens[token] for token in row["tokens"]]
    return draw_emissions(
        feats[0],
        row["frames"],
        pieces,
        subsampling=recognizer.model.encoder.subsampling,
        title=row["id"],
    )


def _write_png(picture: Tensor, path: Path) -> None:
    """Write (3, H, W), uint8, as a file."""
    buffer = io.BytesIO()
    Image.fromarray(picture.permute(1, 2, 0).contiguous().numpy()).save(buffer, "PNG")
    with atomic_write(path) as file:
        file.write(buffer.getvalue())
