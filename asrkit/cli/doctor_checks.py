"""One function a part: use it in earnest and return a line about it, or raise.

Each runs in a process of its own (see doctor.py).
"""

import io
import math
import os
import shutil
import subprocess
import tempfile
import warnings
from importlib.metadata import version
from pathlib import Path


def torch() -> str:
    """Multiply, and go back through it."""
    import torch

    x = torch.ones(2, 2, requires_grad=True)
    (x @ x).sum().backward()
    _expect(x.grad is not None and x.grad.sum().item() == 16.0, "a wrong gradient")
    return f"{torch.__version__}, {torch.get_num_threads()} threads"


def torchaudio() -> str:
    """Compute a transducer loss that can be done by hand: two paths of 3^-3 each."""
    import torch
    from torchaudio.functional import rnnt_loss

    loss = rnnt_loss(
        torch.zeros(1, 2, 2, 3),
        torch.ones(1, 1, dtype=torch.int32),
        torch.tensor([2], dtype=torch.int32),
        torch.tensor([1], dtype=torch.int32),
        blank=0,
    )
    _expect(math.isclose(loss.item(), -math.log(2 / 27), rel_tol=1e-4), "a wrong loss")
    return f"{version('torchaudio')}, rnnt_loss is right"


def lhotse() -> str:
    """Make a cut and take a part of it."""
    from lhotse.testing.dummies import dummy_cut

    _expect(dummy_cut(0).truncate(duration=0.5).duration == 0.5, "a wrong cut")
    return version("lhotse")


def soundfile() -> str:
    """Write and read a tone in each format of interest."""
    import numpy as np
    import soundfile

    tone = np.sin(np.arange(16000) / 10).astype(np.float32) / 2
    formats = {
        "wav": ("WAV", "PCM_16"),
        "flac": ("FLAC", "PCM_16"),
        "mp3": ("MP3", "MPEG_LAYER_III"),
        "ogg": ("OGG", "VORBIS"),
        "opus": ("OGG", "OPUS"),
    }
    lacking = []
    for name, (container, subtype) in formats.items():
        file = io.BytesIO()
        try:
            soundfile.write(file, tone, 16000, format=container, subtype=subtype)
            file.seek(0)
            _expect(len(soundfile.read(file)[0]) > 15000, f"{name} came back short")
        except (soundfile.LibsndfileError, ValueError):
            lacking.append(name)
    _expect(not {"wav", "flac"} & set(lacking), f"no {', '.join(lacking)}")
    reads = ", ".join(name for name in formats if name not in lacking)
    without = f", not {', '.join(lacking)}" if lacking else ""
    return f"{version('soundfile')}, reads {reads}{without}"


def ffmpeg() -> str:
    """Decode a tone into a FLAC file."""
    import numpy as np
    import soundfile

    from asrkit.data.audio.ffmpeg import convert

    program = shutil.which("ffmpeg")
    if program is None:
        raise ModuleNotFoundError("no ffmpeg: m4a, webm, aac, amr and video go unread")
    with tempfile.TemporaryDirectory() as folder:
        tone, flac = Path(folder) / "tone.wav", Path(folder) / "tone.flac"
        soundfile.write(tone, np.sin(np.arange(16000) / 10) / 2, 16000)
        convert(tone, flac)
        _expect(soundfile.info(flac).frames == 16000, "the tone came back short")
    said = subprocess.run([program, "-version"], capture_output=True, text=True).stdout
    return said.split()[2]  # ffmpeg version N-N


def sentencepiece() -> str:
    """Train a model of a few pieces and encode with it."""
    import sentencepiece

    file = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["AB AB BA ABBA"] * 4),
        model_writer=file,
        model_type="bpe",
        vocab_size=8,
        minloglevel=2,
    )
    model = sentencepiece.SentencePieceProcessor(model_proto=file.getvalue())
    _expect(model.decode(model.encode("AB BA")) == "AB BA", "a wrong round trip")
    return version("sentencepiece")


def kaldialign() -> str:
    """Align two short sentences."""
    import kaldialign

    pairs = kaldialign.align(["A", "B"], ["A"], "")
    _expect(pairs == [("A", "A"), ("B", "")], "a wrong alignment")
    return version("kaldialign")


def hydra() -> str:
    """Merge a value into a config."""
    import hydra
    from omegaconf import OmegaConf

    merged = OmegaConf.merge({"a": {"b": 1}}, OmegaConf.from_dotlist(["a.b=2"]))
    _expect(merged == {"a": {"b": 2}}, "a wrong config")
    return f"{hydra.__version__}, omegaconf {version('omegaconf')}"


def tensorboard() -> str:
    """Import the writer."""
    from torch.utils.tensorboard import SummaryWriter

    _expect(callable(SummaryWriter), "no writer")
    return version("tensorboard")


def matplotlib() -> str:
    """Draw a line without a display."""
    from matplotlib.figure import Figure

    Figure().subplots().plot([0, 1])
    return version("matplotlib")


def onnxruntime() -> str:
    """Double a number by a file's graph."""
    import numpy as np
    import onnx
    import onnxruntime
    from onnx.helper import make_graph, make_model, make_node, make_opsetid

    sides = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1])
        for name in "xy"
    ]
    graph = make_graph([make_node("Add", ["x", "x"], ["y"])], "", sides[:1], sides[1:])
    # The newest version of files that onnx knows may be too new for onnxruntime.
    model = make_model(graph, opset_imports=[make_opsetid("", 18)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    (found,) = session.run(None, {"x": np.ones(1, np.float32)})
    _expect(found[0] == 2.0, "a wrong sum")
    return f"{version('onnxruntime')}, onnx {version('onnx')}"


def cuda() -> str:
    """Add on each CUDA device; a machine without one is no failure."""
    import torch

    if not torch.backends.cuda.is_built():
        return "this torch is built without it"
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        available = torch.cuda.is_available()
    if not available:
        driver = shutil.which("nvidia-smi")
        reason = str(caught[0].message).splitlines()[0] if caught else "no reason given"
        built = f"torch is for CUDA {torch.version.cuda}"
        _expect(driver is None, f"{driver} is there, but {built}: {reason}")
        return f"no device ({built})"
    return "; ".join(_cuda_device(index) for index in range(torch.cuda.device_count()))


def _cuda_device(index: int) -> str:
    import torch

    total = torch.ones(2, device=f"cuda:{index}").sum().item()
    _expect(total == 2.0, f"a wrong sum on device {index}")
    properties = torch.cuda.get_device_properties(index)
    # The oldest devices with bfloat16 in hardware are of compute capability 8.0.
    bf16 = "bf16" if properties.major >= 8 else "no bf16"
    gibibytes = properties.total_memory / 2**30
    return f"{index}: {properties.name}, {gibibytes:.0f} GiB, {bf16}"


def mps() -> str:
    """Add on Apple's GPU; a machine without one is no failure."""
    import torch

    if not torch.backends.mps.is_available():
        return "no device"
    total = torch.ones(2, device="mps").sum().item()
    _expect(total == 2.0, "a wrong sum")
    return "works"


def triton() -> str:
    """Run a kernel: compiled on a GPU, else interpreted."""
    import torch

    on_gpu = torch.cuda.is_available()
    if not on_gpu:
        os.environ["TRITON_INTERPRET"] = "1"  # read when triton is imported
    import triton
    import triton.language as tl

    @triton.jit
    def double(x_ptr, size):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
        offsets = tl.arange(0, 4)
        x = tl.load(x_ptr + offsets, mask=offsets < size)
        tl.store(x_ptr + offsets, 2 * x, mask=offsets < size)

    x = torch.ones(4, device="cuda" if on_gpu else "cpu")
    double[(1,)](x, x.numel())
    _expect(x.tolist() == [2.0] * 4, "a wrong result of a kernel")
    if on_gpu:
        return f"{triton.__version__}, compiles kernels"
    return (
        f"{triton.__version__}, not usable without a GPU; "
        "kernels are tested with TRITON_INTERPRET=1, which works"
    )


def k2() -> str:
    """Score the only path of a two-symbol acceptor."""
    import k2

    fsa = k2.create_fsa_vec([k2.linear_fsa([1, 2])])
    scores = fsa.get_tot_scores(use_double_scores=True, log_semiring=True)
    _expect(scores.tolist() == [0.0], "a wrong score")
    return version("k2")


def espeak_ng() -> str:
    """Speak a word and measure how long it is."""
    from asrkit.data.synthesis import espeak

    voice = espeak.VoiceSettings(accent="en-US", variant="f2")
    seconds = len(espeak.speak("hello", voice)) / espeak.SAMPLE_RATE
    _expect(0.1 < seconds < 5, f"it spoke {seconds:.2f} seconds for a word")
    return f"{version('espeakng-loader')}, spoke {seconds:.1f} seconds"


def _expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise RuntimeError(otherwise)
