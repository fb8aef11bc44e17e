"""What exported files find without torch is what the model finds in torch."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import soundfile

from asrkit.decoding.ctc_greedy import CtcGreedySearch
from asrkit.decoding.greedy import GreedySearch
from asrkit.decoding.modified_beam_search import ModifiedBeamSearch
from asrkit.runtime import Recognizer, read_wave
from asrkit.runtime.__main__ import main
from asrkit.utils.errors import InputError

# Stands first on the path: what imports torch or lhotse fails.
REFUSES = "raise ImportError('not without torch')\n"


@pytest.mark.parametrize(
    ("load", "search"),
    [
        (Recognizer.load, GreedySearch(1)),
        (Recognizer.load_ctc, CtcGreedySearch()),
        (lambda at: Recognizer.load(at, beam=2), ModifiedBeamSearch(2, prune=8.0)),
        (lambda at: Recognizer.load(at, beam=6), ModifiedBeamSearch(6, prune=8.0)),
    ],
    ids=["greedy", "ctc", "beam 2", "beam 6"],
)
def test_the_same_as_in_torch(exported, in_torch, waves, search_in_torch, load, search):
    recognizer, tokenizer = load(exported), in_torch.tokenizer
    for wave, wanted in zip(waves, search_in_torch(search), strict=True):
        found = recognizer.transcribe(*read_wave(wave))
        assert len(found.tokens) > 2
        assert found.tokens == [tokenizer.tokens[label] for label in wanted.tokens]
        assert found.text == wanted.text(tokenizer)
        assert found.times == pytest.approx([0.04 * one for one in wanted.frames])


def test_the_score_of_a_beam_is_that_of_torch(exported, waves, search_in_torch):
    recognizer = Recognizer.load(exported, beam=4)
    for wave, wanted in zip(
        waves, search_in_torch(ModifiedBeamSearch(4, prune=8.0)), strict=True
    ):
        feats = recognizer.fbank(read_wave(wave)[0])
        encoded, _ = recognizer.encoder(feats[None], np.array([len(feats)]))
        search = recognizer.search()
        search.push(encoded[0][:3])
        search.push(encoded[0][3:])
        assert search.kept[0].score == pytest.approx(wanted.score, abs=1e-2)


def test_8_bits(exported, waves):
    small = Recognizer.load(exported, int8=True)
    assert small.encoder.path.name == "encoder.int8.onnx"
    assert small.transcribe(*read_wave(waves[3])).tokens


def test_a_folder_of_ctc_alone(exported, tmp_path, waves):
    for name in ("ctc.onnx", "tokens.txt"):
        shutil.copy(exported / name, tmp_path)
    samples = read_wave(waves[1])
    wanted = Recognizer.load_ctc(exported).transcribe(*samples)
    assert Recognizer.load(tmp_path).transcribe(*samples) == wanted
    with pytest.raises(InputError, match="no beam search for CTC"):
        Recognizer.load(tmp_path, beam=2)


def test_torch_and_lhotse_are_not_imported(exported, waves, tmp_path):
    for name in ("torch", "torchaudio", "lhotse", "sentencepiece", "onnx"):
        (tmp_path / f"{name}.py").write_text(REFUSES)
    path = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, "-m", "asrkit.runtime", exported, *waves],
        capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    recognizer = Recognizer.load(exported)
    texts = [recognizer.transcribe(*read_wave(wave)).text for wave in waves]
    lines = [f"{wave}\t{text}" for wave, text in zip(waves, texts, strict=True)]
    assert done.stdout.splitlines() == lines


@pytest.mark.parametrize("name", ["encoder.onnx", "decoder.onnx", "tokens.txt"])
def test_a_missing_file_is_named(exported, tmp_path, name):
    folder = shutil.copytree(exported, tmp_path / "export")
    (folder / name).unlink()
    (folder / "ctc.onnx").unlink()
    with pytest.raises(InputError, match=rf"{name}.*scripts/export\.py"):
        Recognizer.load(folder)


def foreign_network(folder):
    (folder / "joiner.onnx").write_bytes(b"no network")
    return r"cannot open .*joiner\.onnx"


def foreign_tokens(folder):
    with (folder / "tokens.txt").open("a") as file:
        file.write("X 8\nY 9\n")
    return r"tokens\.txt"


def fewer_tokens(folder):
    lines = (folder / "tokens.txt").read_text().splitlines(keepends=True)
    (folder / "tokens.txt").write_text("".join(lines[:-1]))
    return r"encoder\.onnx knows \d tokens, but the tokens\.txt"


def other_vocabulary(folder):
    import onnx

    path = folder / "joiner.onnx"
    file = onnx.load(str(path))
    for one in file.metadata_props:
        if one.key == "vocab_size":
            one.value = "99"
    onnx.save(file, str(path))
    return r"joiner\.onnx and encoder\.onnx are of different exports: vocab_size is 99"


def nothing_said(folder):
    import onnx

    path = folder / "decoder.onnx"
    file = onnx.load(str(path))
    del file.metadata_props[:]
    onnx.save(file, str(path))
    return r"decoder\.onnx does not say its vocab_size"


@pytest.mark.parametrize(
    "spoil",
    [foreign_network, foreign_tokens, fewer_tokens, other_vocabulary, nothing_said],
)
def test_a_foreign_file_is_named(exported, tmp_path, spoil):
    folder = shutil.copytree(exported, tmp_path / "export")
    message = spoil(folder)
    with pytest.raises(InputError, match=message):
        Recognizer.load(folder)


@pytest.mark.parametrize(
    ("samples", "rate", "message"),
    [
        (np.zeros(8000), 8000, "rate is 8000 Hz, the model hears 16000 Hz; resample"),
        (np.zeros((8000, 2)), 16000, r"shape \(8000, 2\): one channel"),
        (np.zeros(8000, np.int16), 16000, "int16; divide"),
        (np.full(8000, 3e4), 16000, r"a sample is 30000: .* -1 to 1"),
        (np.full(8000, np.nan), 16000, "a sample is nan"),
        (np.zeros(100), 16000, "100 samples has no frame"),
    ],
)
def test_what_is_no_recording(exported, samples, rate, message):
    with pytest.raises(InputError, match=message):
        Recognizer.load(exported).transcribe(samples, rate)


def test_the_command_goes_on_after_what_it_cannot_hear(
    exported, waves, make_wave, capsys
):
    low = make_wave("low.wav", 1.0, rate=8000)
    assert main([str(exported), "--beam", "4", str(low), str(waves[0])]) == 2
    shown = capsys.readouterr()
    assert shown.out.startswith(f"{waves[0]}\t")
    (line,) = shown.err.splitlines()
    assert line.startswith(f"error: {low}: the recording's rate is 8000 Hz")


def test_the_command_without_an_export_ends_with_one_line(tmp_path, waves, capsys):
    assert main([str(tmp_path), *map(str, waves)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {tmp_path / 'encoder.onnx'}: no such file")


def test_stereo_is_refused(tmp_path):
    path = tmp_path / "two.wav"
    soundfile.write(path, np.zeros((1000, 2)), 16000)
    with pytest.raises(InputError, match=r"two\.wav has 2 channels"):
        read_wave(str(path))
    with pytest.raises(InputError, match="a folder, no recording"):
        read_wave(tmp_path)


@pytest.mark.parametrize("name", ["x.wav", "there_is_none.wav"])
def test_what_is_no_wave(tmp_path, monkeypatch, name):
    (tmp_path / "x.wav").write_bytes(b"RIFF nothing")
    for missing in (False, True):
        if missing:
            monkeypatch.setattr("asrkit.runtime.wave_files.find_spec", lambda _: None)
        with pytest.raises(InputError, match=rf"{name}.*(cannot be decoded|no such)"):
            read_wave(tmp_path / name)


def test_without_soundfile(waves, tmp_path, monkeypatch):
    wanted, rate = read_wave(waves[1])
    monkeypatch.setattr("asrkit.runtime.wave_files.find_spec", lambda _: None)
    found, same = read_wave(waves[1])
    assert same == rate
    np.testing.assert_array_equal(found, wanted)
    soundfile.write(tmp_path / "24.wav", wanted, rate, subtype="PCM_24")
    with pytest.raises(InputError, match=r"24\.wav has 24 bits a sample"):
        read_wave(tmp_path / "24.wav")


@pytest.mark.parametrize(
    "load",
    [
        Recognizer.load,
        Recognizer.load_ctc,
        lambda folder: Recognizer.load(folder, beam=4),
    ],
    ids=["greedy", "ctc", "beam"],
)
@pytest.mark.parametrize("size", [1, 5, 8, 30])
def test_searches_in_pieces(exported, waves, load, size):
    recognizer = load(exported)
    feats = recognizer.fbank(read_wave(waves[3])[0])
    frames = recognizer.encoder(feats[None], np.array([len(feats)]))[0][0]
    whole, pieces = recognizer.search(), recognizer.search()
    whole.push(frames)
    for start in range(0, len(frames), size):
        pieces.push(frames[start : start + size])
    assert pieces.labels == whole.labels
