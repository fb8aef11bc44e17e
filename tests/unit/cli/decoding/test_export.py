"""scripts/export.py: files that are proven, and none that are not."""

import json
import subprocess
import sys

import pytest
import soundfile
import torch

from asrkit.cli.decoding import export as command
from asrkit.data.audio.files import read_audio
from asrkit.data.corpora.manifests import write_manifests
from asrkit.data.corpora.scan import Utterance, scan
from asrkit.decoding.ctc_greedy import CtcGreedySearch
from asrkit.decoding.greedy import GreedySearch
from asrkit.export import onnx_file
from asrkit.export.networks import JoinerNetwork
from asrkit.pipeline import export as pipeline
from asrkit.pipeline.decode.aligner import audio_batch
from asrkit.pipeline.decode.recognizer import load_recognizer
from asrkit.pipeline.experiment import AVERAGE
from asrkit.pipeline.export import search_greedily
from asrkit.text.char import CharTokenizer
from asrkit.text.phone import PhoneTokenizer
from asrkit.utils.errors import InputError

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

FILES = {"encoder.onnx", "decoder.onnx", "joiner.onnx", "ctc.onnx", "tokens.txt"}
SMALL = {"encoder.int8.onnx", "joiner.int8.onnx", "ctc.int8.onnx"}

# Its models end the process where something is wrong with a file.
SHERPA = """
import json, sys
import sherpa_onnx, soundfile
folder, *waves = sys.argv[1:]
common = {"tokens": f"{folder}/tokens.txt", "num_threads": 1}
names = "encoder", "decoder", "joiner"
transducer = {name: f"{folder}/{name}.onnx" for name in names}
make = sherpa_onnx.OfflineRecognizer
found = []
for recognizer in (
    make.from_transducer(**transducer, **common),
    make.from_zipformer_ctc(model=f"{folder}/ctc.onnx", **common),
):
    streams = []
    for wave in waves:
        stream = recognizer.create_stream()
        samples, rate = soundfile.read(wave, dtype="float32")
        stream.accept_waveform(rate, samples)
        streams.append(stream)
    recognizer.decode_streams(streams)
    results = [stream.result for stream in streams]
    found.append([[one.tokens, one.timestamps, one.text] for one in results])
print(json.dumps(found))
"""


@pytest.fixture
def waves(make_wave):
    return [make_wave(f"{n}.wav", 1.0 + 0.7 * n) for n in range(4)]


@pytest.fixture
def run(exp_dir, tmp_path, waves, capsys):
    """Return a function that exports: the folder, and what is logged."""
    utterances = [
        Utterance(id=f"u{n}", path=wave, text="AB BA") for n, wave in enumerate(waves)
    ]
    cuts, _ = scan(utterances, name="dev", jobs=1)
    write_manifests({"dev": cuts}, {}, tmp_path / "manifests")

    def run(*arguments):
        out = tmp_path / "export"
        paths = ["--exp-dir", exp_dir, "--manifests", tmp_path / "manifests"]
        assert command.main([*map(str, [*paths, "--out", out]), *arguments]) == 0
        return out, capsys.readouterr().err.splitlines()

    return run


def names(folder):
    return {path.name for path in folder.iterdir()}


def test_files_are_written_and_proven(run):
    out, log = run("--int8")
    assert names(out) == FILES | SMALL
    assert "transducer: labels and times are equal in 4 utterances" in log
    assert "ctc: labels and times are equal in 4 utterances" in log
    assert sum("8 bits: WER" in line for line in log) == 2
    assert any("loss.topology=MONOTONIC" in line for line in log)
    assert (out / "tokens.txt").read_text().splitlines()[0] == "<blk> 0"
    out, _ = run()
    assert names(out) == FILES  # those of an earlier export are no longer true


def test_what_is_not_equal_is_not_left_behind(run, tmp_path, monkeypatch):
    def tamper(path, network, inputs, metadata):
        if isinstance(network, JoinerNetwork):
            network.model.joiner.output.bias.data[0] += 0.01
        onnx_file.write_onnx(path, network, inputs, metadata)
        if isinstance(network, JoinerNetwork):
            network.model.joiner.output.bias.data[0] -= 0.01

    earlier = tmp_path / "export" / "joiner.onnx"
    earlier.parent.mkdir()
    earlier.write_text("of an earlier export")
    monkeypatch.setattr(pipeline, "write_onnx", tamper)
    with pytest.raises(InputError, match=r"joiner\.onnx is not equal to the model"):
        run()
    assert names(earlier.parent) == {"joiner.onnx"}
    assert earlier.read_text() == "of an earlier export"


def test_other_labels_are_refused(run, monkeypatch):
    def deaf(*args):
        return [labels[1:] for labels in pipeline_greedy(*args)]

    pipeline_greedy = pipeline.greedy
    monkeypatch.setattr(pipeline, "greedy", deaf)
    with pytest.raises(InputError, match=r"the transducer's files find .* in u\d"):
        run()


@pytest.mark.parametrize("missing", ["onnx", "onnxruntime"])
def test_the_extra_is_named(run, monkeypatch, missing):
    found = onnx_file.find_spec
    monkeypatch.setattr(
        onnx_file, "find_spec", lambda name: None if name == missing else found(name)
    )
    with pytest.raises(InputError, match=rf"{missing} is not .*'asrkit\[onnx\]'"):
        run()


def test_features_that_sherpa_onnx_lacks_are_refused(run, monkeypatch):
    load = command.load_recognizer

    def other(*args, **kwargs):
        recognizer = load(*args, **kwargs)
        recognizer.features.high_freq = 0.0
        return recognizer

    monkeypatch.setattr(command, "load_recognizer", other)
    with pytest.raises(InputError, match=r"features\.high_freq=0"):
        run()


def test_nothing_is_exported_without_an_utterance(run):
    with pytest.raises(InputError, match="--utterances must be at least 1, got 0"):
        run("--utterances", "0")


def test_tokens_in_a_row_that_are_no_text_are_named(caplog):
    lexicon = b"YES Y EH S\nNO N OW\n"
    tokens = ["<blk>", "<sos/eos>", "<unk>", "Y", "EH", "S#", "N", "OW#"]
    phones, chars = PhoneTokenizer(tokens, lexicon), CharTokenizer([*tokens[:3], "A"])
    pipeline.warn_of_text(chars, [[3, 3]])
    assert not caplog.messages
    pipeline.warn_of_text(phones, [[], [6, 7, 3, 4, 5], [6, 7]])
    (line,) = caplog.messages
    assert "'NOW#YEHS#' where asrkit writes 'NO YES'" in line


def test_sherpa_onnx_finds_the_same(run, exp_dir, waves):
    pytest.importorskip("sherpa_onnx")
    out, _ = run()
    done = subprocess.run(
        [sys.executable, "-c", SHERPA, out, *waves],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    recognizer = load_recognizer(
        exp_dir / AVERAGE, torch.device("cpu"), change=search_greedily
    )
    tokenizer = recognizer.tokenizer
    assert soundfile.info(waves[0]).samplerate == 16000
    batch = audio_batch([read_audio(wave, 16000) for wave in waves], 16000)
    encoded = recognizer.encode(batch)
    searches = GreedySearch(1), CtcGreedySearch()
    for search, found in zip(searches, json.loads(done.stdout), strict=True):
        for nbest, (tokens, times, text) in zip(
            search(recognizer.model, *encoded), found, strict=True
        ):
            pieces = [tokenizer.tokens[label] for label in nbest[0].tokens]
            assert len(pieces) > 2
            assert [piece.replace(" ", "▁") for piece in tokens] == pieces
            assert times == pytest.approx([0.04 * one for one in nbest[0].frames])
            assert text.split() == nbest[0].text(tokenizer).split()
