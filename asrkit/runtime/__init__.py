"""Recognizes speech with exported files: onnxruntime and NumPy, no torch.

`Recognizer.load(folder).transcribe(samples, rate)` is all that most callers need;
`python -m asrkit.runtime FOLDER a.wav ...` does it for files. Streams have
`StreamingRecognizer.load(folder).stream()`, its `accept(samples, rate)` and `finish()`.
"""

from asrkit.runtime.recognizer import Recognizer
from asrkit.runtime.streaming import StreamingRecognizer
from asrkit.runtime.transcript import Transcript
from asrkit.runtime.wave_files import read_wave

__all__ = ["Recognizer", "StreamingRecognizer", "Transcript", "read_wave"]
