"""scripts/export.py: files that are proven, and none that are not."""

import json

import pytest

from asrkit.cli.decoding import export as command
from asrkit.export import onnx_file, parity_file
from asrkit.pipeline.export import export as pipeline
from asrkit.pipeline.export import parts
from asrkit.pipeline.export.text import warn_of_text
from asrkit.text.char import CharTokenizer
from asrkit.text.phone import PhoneTokenizer
from asrkit.utils.errors import InputError
from tests.unit.cli.conftest import make_run
from tests.unit.cli.decoding.exporting import (
    CHUNKS,
    MONOTONIC,
    names,
    no_sherpa,
    run,
    stream_dir,
    waves,
)

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

__all__ = ["no_sherpa", "run", "stream_dir", "waves"]  # fixtures

FILES = {
    "encoder.onnx", "decoder.onnx", "joiner.onnx", "ctc.onnx", "tokens.txt",
    "parity.json",
}  # fmt: skip
STREAM = "encoder-chunk0.16-left2.onnx"
STREAMING = ["--streaming", "--chunk", "0.16"]

pytestmark = pytest.mark.usefixtures("no_sherpa")


def test_files_are_written_and_proven(run, exp_dir):
    out, log = run(*STREAMING)
    assert names(out) == FILES | {STREAM}
    assert (out / "tokens.txt").read_text().splitlines()[0] == "<blk> 0"
    assert "sherpa-onnx is not installed: proven with onnxruntime alone" in log
    content = json.loads((out / "parity.json").read_text())
    assert content["equal"]
    assert content["proven_on"] == {"set": "dev", "utterances": 4, "seconds": 8.2}
    assert set(content["files"]) == names(out) - {"parity.json"}
    ways = {(one["part"], one["engine"]): one for one in content["variants"]}
    heard = ["transducer", "ctc", "streaming 0.16 s, left 2"]
    assert list(ways) == [
        (part, engine) for part in heard for engine in ("torch", "onnxruntime")
    ]
    for one in content["variants"]:
        assert one["tokens"] > 20
        assert (one["different"], one["moved"], one["cases"]) == (0, 0, [])
        assert one["difference"] < 1e-4
    assert ways[heard[2], "onnxruntime"]["size"] == sum(
        (out / name).stat().st_size for name in (STREAM, "decoder.onnx", "joiner.onnx")
    )
    # On the screen: the same, a line each.
    rows = [line for line in log if "onnxruntime  float" in line]
    assert [row.split("  ")[0] for row in rows] == heard

    out, log = run(exp=exp_dir)
    assert names(out) == FILES  # those of an earlier export are no longer true
    assert any("loss.topology=MONOTONIC" in line for line in log)


def test_what_is_asked_for_badly(run, exp_dir):
    for arguments, message in (
        (["--utterances", "0"], "--utterances must be at least 1, got 0"),
        (["--chunk", "0.16"], "give --streaming"),
        (["--left", "2"], "give --streaming"),
        (["--streaming", "--chunk", "0.32"], r"not met in training.*0\.16, 0\.64"),
        (["--check", "--int8"], "--check takes the export as it is"),
    ):
        with pytest.raises(InputError, match=message):
            run(*arguments)
    with pytest.raises(InputError, match=r"encoder\.chunks\.sizes has no number"):
        run("--streaming", exp=exp_dir)


def test_streams_need_a_transducer(run, monkeypatch):
    monkeypatch.setattr(pipeline, "PARTS", {"ctc": parts.CtcPart})
    with pytest.raises(InputError, match="--streaming needs a transducer"):
        run(*STREAMING)


@pytest.mark.parametrize("missing", ["onnx", "onnxruntime"])
def test_the_extra_is_named(run, monkeypatch, missing):
    found = onnx_file.find_spec
    monkeypatch.setattr(
        onnx_file, "find_spec", lambda name: None if name == missing else found(name)
    )
    with pytest.raises(
        InputError, match=rf"{missing} is not installed; .* -m pip install"
    ):
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


def test_frames_that_sherpa_onnx_lacks_are_refused(run, tmp_path_factory):
    exp = make_run(tmp_path_factory.mktemp("exp"), "encoder.subsampling=8", MONOTONIC)
    with pytest.raises(InputError, match=r"one frame of 8; .* encoder\.subsampling=4"):
        run(exp=exp)


def test_tokens_in_a_row_that_are_no_text_are_named(caplog):
    lexicon = b"YES Y EH S\nNO N OW\n"
    tokens = ["<blk>", "<sos/eos>", "<unk>", "Y", "EH", "S#", "N", "OW#"]
    phones, chars = PhoneTokenizer(tokens, lexicon), CharTokenizer([*tokens[:3], "A"])
    warn_of_text(chars, [[3, 3]])
    assert not caplog.messages
    warn_of_text(phones, [[], [6, 7, 3, 4, 5], [6, 7]])
    (line,) = caplog.messages
    assert "'NOW#YEHS#' where asrkit writes 'NO YES'" in line


def test_an_export_is_proven_again_and_must_be_whole(run, monkeypatch):
    out, _ = run(*STREAMING)
    kept = {path.name: path.read_bytes() for path in out.iterdir()}

    def refused(message):
        with pytest.raises(InputError, match=message):
            run("--check")
        for path in out.iterdir():
            path.unlink()
        for name, content in kept.items():
            (out / name).write_bytes(content)

    (out / STREAM).unlink()
    refused(rf"{STREAM}: missing; export again")
    (out / "encoder-chunk9-left1.onnx").write_bytes(b"")
    refused(r"encoder-chunk9-left1\.onnx: not of this export")
    (out / "joiner.onnx").write_bytes(kept["decoder.onnx"])
    refused(r"joiner\.onnx: not what was exported")
    (out / "parity.json").unlink()
    refused(r"parity\.json is missing: .* is no finished export")
    (out / "parity.json").write_bytes(kept["parity.json"][:100])
    refused(r"parity\.json cannot be read")
    (out / "parity.json").write_text("[]")
    refused(r"parity\.json cannot be read")

    monkeypatch.setattr(
        pipeline, "versions", lambda: parity_file.versions() | {"onnxruntime": "0.1"}
    )
    _, log = run("--check")
    assert f"proven again: {out}" in log
    (line,) = [line for line in log if " was " in line]
    assert line.startswith("onnxruntime was")
    assert line.endswith("is 0.1")


def test_another_models_export_is_refused(run, tmp_path):
    def change(model):
        model.encoder.blocks[0].first_ff.down.bias[0] += 1

    run()
    (tmp_path / "other").mkdir()
    other = make_run(tmp_path / "other", *CHUNKS, MONOTONIC, change=change)
    with pytest.raises(InputError, match=r"is not the model: .*; export again"):
        run("--check", exp=other)
