"""Recognizes whole recordings with the files of an export."""

from pathlib import Path

import numpy as np

from asrkit.runtime.export_folder import Files, Opened
from asrkit.runtime.samples import check_samples
from asrkit.runtime.transcript import Transcript
from asrkit.utils.errors import InputError


class Recognizer(Opened):
    """A recognizer of whole recordings."""

    @classmethod
    def load(
        cls,
        folder: Path | str,
        *,
        int8: bool = False,
        beam: int = 1,
        threads: int = 1,
    ) -> "Recognizer":
        """Open the transducer of an export; its CTC recognizer if there is none.

        Args:
            folder: What scripts/export.py wrote.
            int8: Take the files of 8 bits.
            beam: Texts that the search keeps; 1 searches greedily.
            threads: Of onnxruntime; 0: as many as there are cores.

        Raises:
            InputError: A file is missing, or is not of this export.
        """
        files = Files(Path(folder), int8=int8, threads=threads)
        if files.has("encoder") or not files.has("ctc"):
            return cls.transducer(files, files.open("encoder"), beam)
        if beam > 1:
            raise InputError(
                f"{folder} has no transducer: there is no beam search for CTC here"
            )
        return cls.ctc(files)

    @classmethod
    def load_ctc(
        cls, folder: Path | str, *, int8: bool = False, threads: int = 1
    ) -> "Recognizer":
        """Open the CTC recognizer of an export; arguments as in `load`.

        Raises:
            InputError: A file is missing, or is not of this export.
        """
        return cls.ctc(Files(Path(folder), int8=int8, threads=threads))

    def transcribe(self, samples: np.ndarray, rate: int) -> Transcript:
        """Recognize a recording.

        Args:
            samples: In [-1, 1], (S,), float.
            rate: Their rate in Hz.

        Raises:
            InputError: They are no recording that the model can hear.
        """
        feats = self.fbank(check_samples(samples, rate, self.facts.sample_rate))
        lens = np.array([len(feats)], dtype=np.int64)
        encoded, _ = self.encoder(feats[None], lens)
        search = self.search()
        search.push(encoded[0])
        return self.write(search.labels)
