"""Recognizes speech with exported files: onnxruntime and NumPy, no torch.

`Recognizer.load(folder).transcribe(samples, rate)` is all that most callers need;
`python -m asrkit.runtime FOLDER a.wav ...` does it for files.
"""

from asrkit.runtime.recognizer import Recognizer
from asrkit.runtime.transcript import Transcript
from asrkit.runtime.wave_files import read_wave

__all__ = ["Recognizer", "Transcript", "read_wave"]
