"""Files of other toolkits, as these write them."""

import json

import pytest

from asrkit.decoding.scoring.reading.formats import ScoringFormat, tell_format
from asrkit.decoding.scoring.reading.readers import read_decode
from asrkit.decoding.scoring.score import Hypothesis
from asrkit.utils.errors import InputError

# print_wer_summary and print_alignments of speechbrain 1.1.2.
SPEECHBRAIN = """%WER 66.67 [ 4 / 6, 1 ins, 1 del, 2 sub ]
%SER 75.00 [ 3 / 4 ]
Scored 4 sentences, 2 not present in hyp.
================================================================================
ALIGNMENTS

Format:
<utterance-id>, WER DETAILS
<eps> ; reference  ; on ; the ; first ;  line\x20
  I   ;     S      ; =  ;  =  ;   S   ;   D\x20\x20
 and  ; hypothesis ; on ; the ; third ; <eps>
================================================================================
spk-1, %WER 66.67 [ 2 / 3, 1 ins, 0 del, 1 sub ]
THE ; CAT ; SAT ; <eps>
 S  ;  =  ;  =  ;   I\x20\x20
 A  ; CAT ; SAT ;  DOWN
================================================================================
a b, %WER 50.00 [ 1 / 2, 0 ins, 1 del, 0 sub ]
IT'S ; <eps>
 =   ;   D\x20\x20
IT'S ; <eps>
================================================================================
e, %WER 0.00 [ 0 / 0, 0 ins, 0 del, 0 sub ]



================================================================================
n, %WER 100.00 [ 1 / 1, 0 ins, 0 del, 1 sub ]
X
S
\x20
"""
# tools/compute-wer.py --v=1 of WeNet, with words padded to a common width.
WENET = """
utt: u1
WER: 33.33 % N=3 C=2 S=0 D=1 I=0
lab: I   AM HERE\x20
rec: I   AM     \x20

utt: u2
WER: 100.00 % N=1 C=0 S=1 D=0 I=0
lab: 好\x20
rec: 号\x20

===========================================================================

Overall -> 50.00 % N=4 C=2 S=1 D=1 I=0
"""
# openai-whisper's WriteJSON: one line.
WHISPER = {
    "text": " Hello there. Bye.",
    "segments": [
        {"id": 0, "start": 0.0, "end": 1.5, "text": " Hello there."},
        {"id": 1, "start": 1.5, "end": 2.0, "text": " Bye."},
    ],
    "language": "en",
}


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def test_wer_txt_of_speechbrain(tmp_path, caplog):
    assert read_decode(write(tmp_path / "wer.txt", SPEECHBRAIN)) == [
        Hypothesis("spk-1", ["THE", "CAT", "SAT"], ["A", "CAT", "SAT", "DOWN"]),
        Hypothesis("a b", ["IT'S", "<eps>"], ["IT'S"]),
        Hypothesis("e", [], []),
        Hypothesis("n", ["X"], []),
    ]
    assert "wer.txt lacks 2 utterances without hypothesis" in caplog.text


def test_a_report_without_words_is_no_decoded_set(tmp_path):
    report = write(tmp_path / "wer_10", "%WER 3.2 [ 3 / 94, 1 ins, 1 del, 1 sub ]\n")
    with pytest.raises(
        InputError, match=r"wer_10 is a report of errors without the wo"
    ):
        read_decode(report)
    torn = SPEECHBRAIN.replace(" A  ; CAT ; SAT ;  DOWN", " A  ; CAT ; SAT")
    with pytest.raises(
        InputError, match=r"wer\.txt:13: expected three lines of as man"
    ):
        read_decode(write(tmp_path / "wer.txt", torn))


def test_what_compute_wer_of_wenet_prints(tmp_path):
    assert read_decode(write(tmp_path / "wer", WENET)) == [
        Hypothesis("u1", ["I", "AM", "HERE"], ["I", "AM"]),
        Hypothesis("u2", ["好"], ["号"]),
    ]


def test_text_of_wenet_beside_text_of_kaldi(tmp_path):
    ref = write(tmp_path / "ref", "u1 A B\nu2 C\n")
    hyp = write(tmp_path / "text", "u1 A B\nu2 \n")  # an empty result keeps its space
    assert [one.hyp for one in read_decode(hyp, ref)] == [["A", "B"], []]


def test_trn_of_espnet_with_speakers_in_its_ids(tmp_path):
    ref = write(tmp_path / "ref.trn", "HELLO YOU\t(spk1-spk1_u1)\n(spk1-spk1_u2)\n")
    hyp = write(tmp_path / "hyp.trn", "HELLO\t(spk1-spk1_u1)\nA\t(spk1-spk1_u2)\n")
    assert read_decode(hyp, ref) == [
        Hypothesis("spk1-spk1_u1", ["HELLO", "YOU"], ["HELLO"]),
        Hypothesis("spk1-spk1_u2", [], ["A"]),
    ]


@pytest.mark.parametrize("times", ["[0.120, 0.480]", "[(0.120, 0.200), (0.480, 0.5)]"])
def test_recogs_of_icefall_with_timestamps(tmp_path, times):
    lines = ["ref=['A', 'B']", "hyp=['A', 'B']", f"timestamp_ref={times}"]
    lines.append(f"timestamp_hyp={times}")
    path = tmp_path / "recogs-x.txt"
    write(path, "".join(f"u:\t{line}\n" for line in lines))
    assert read_decode(path) == [Hypothesis("u", ["A", "B"], ["A", "B"])]


@pytest.mark.parametrize("field", ["text", "segments"])
@pytest.mark.parametrize("indent", [None, 2])
def test_json_of_whisper_goes_by_its_recording(tmp_path, field, indent):
    talk = write(
        tmp_path / "talk.json", json.dumps({field: WHISPER[field]}, indent=indent)
    )
    ref = write(tmp_path / "text", "talk Hello there. Bye.\n")
    hyp = ["Hello", "there.", "Bye."]
    assert read_decode(talk, ref) == [Hypothesis("talk", hyp, hyp)]


def test_a_folder_of_whisper_results(tmp_path):
    ref = write(tmp_path / "text", "a Hello\nb Hello\n")
    folder = tmp_path / "out"
    folder.mkdir()
    with pytest.raises(InputError, match=r"out is a folder without \.json files"):
        read_decode(folder, ref)
    for name in "ab":
        write(folder / f"{name}.json", json.dumps(WHISPER))
    assert [one.id for one in read_decode(folder, ref)] == ["a", "b"]


def test_a_list_of_transcripts_as_transcribe_writes_it(tmp_path):
    hyp = write(
        tmp_path / "hyp.json", '[\n{"id": "u", "text": "A B", "words": []}\n]\n'
    )
    ref = write(tmp_path / "text", "u A\n")
    assert read_decode(hyp, ref) == [Hypothesis("u", ["A"], ["A", "B"])]


@pytest.mark.parametrize("document", ['{"text": 3}', "[3]", '{"segments": [{}]}'])
def test_other_json_is_refused(tmp_path, document):
    with pytest.raises(InputError, match=r"talk\.json.*: expected"):
        read_decode(write(tmp_path / "talk.json", document), tmp_path / "text")


def test_stm_of_meeteval_is_a_text_a_recording(tmp_path):
    # Not in the order of the times; meeteval's channel is a number or anything.
    ref = "rec1 0 A 10 20 Hello World\nrec1 0 A 2.5 9 <b> one\nrec2 0 B 0 1 x\n"
    hyp = "rec1 1 A 2 21 one Hello\nrec2 1 B 0 1\n"
    assert read_decode(write(tmp_path / "h.stm", hyp), write(tmp_path / "r", ref)) == [
        Hypothesis("rec1", ["<b>", "one", "Hello", "World"], ["one", "Hello"], "A"),
        Hypothesis("rec2", ["x"], [], "B"),
    ]


def test_several_speakers_are_not_run_together(tmp_path):
    ref = write(tmp_path / "r.stm", "rec 1 A 0 1 x\nrec 1 B 0 1 y\n")
    with pytest.raises(
        InputError, match=r"rec has several speakers .* --sclite, or mee"
    ):
        read_decode(ref, ref)


def test_a_ctm_is_not_scored_as_text(tmp_path):
    ctm = "rec 1 0.50 0.30 there 0.9\nrec 1 0.10 0.30 hello 0.8\n"
    ref = write(tmp_path / "text", "rec hello you\n")
    for name in ("hyp.ctm", "hyp.txt"):
        read = read_decode(write(tmp_path / name, ctm), ref)
        assert read == [Hypothesis("rec", ["hello", "you"], ["hello", "there"])]
    hyp = write(tmp_path / "hyp.ctm", ctm + "rec 2 0.1 0.2 x\n")
    with pytest.raises(InputError, match=r"rec has several channels; .* --sclite"):
        read_decode(hyp, ref)


@pytest.mark.parametrize(
    ("name", "text", "format"),
    [
        ("x", "f A 0.10 0.20 5\nf A 0.30 0.20 6\n", ScoringFormat.CTM),
        ("x", "f 1 0 1 five\nf 1 2 1 six 0.9\n", ScoringFormat.CTM),
        ("x", "f A * * <ALT_BEGIN>\nf A 0.1 0.1 a\n", ScoringFormat.CTM),
        ("x", ";; a\nf 1 12 0.10 2.03 a b c d e f\n", ScoringFormat.STM),
        ("x", "f 1 s 0 2 a\nf 1 s 2 4\n", ScoringFormat.STM),
        # Digits that were said, each utterance with a name of its own.
        ("text", "u1 1 2 3 4\nu2 5 6 7 8 9\n", ScoringFormat.TEXT),
        ("text", "u1 a 2.5 3\nu2 b 1.5 2.5 x\n", ScoringFormat.TEXT),
        ("x.stm", "a b\n", ScoringFormat.STM),
        ("x.ctm", "a b\n", ScoringFormat.CTM),
        ("x", '{"audio_filepath": "a", "text": "b"}\n', ScoringFormat.JSONL),
        ("x", "[a] b c\n", ScoringFormat.TEXT),
    ],
)
def test_what_a_file_is(tmp_path, name, text, format):
    assert tell_format(tmp_path / name, text) == format


def test_marks_of_sclite_are_not_taken_for_words_in_silence(tmp_path, caplog):
    hyp = write(tmp_path / "h.trn", "we cannot go (u)\n")
    ref = write(tmp_path / "r.trn", "we { can not / cannot } go (u)\n")
    with pytest.raises(InputError, match=r"r\.trn has alternatives .* --sclite"):
        read_decode(hyp, ref)
    write(ref, "(uh) we cannot @ go (u)\n")
    assert read_decode(hyp, ref)[0].ref == ["(uh)", "we", "cannot", "@", "go"]
    assert "r.trn has 2 words such as (uh) or @, which count as they" in caplog.text
    stm = write(tmp_path / "r.stm", "u 1 A 0 1 ignore_time_segment_in_scoring\n")
    with pytest.raises(InputError, match=r"r\.stm:1: ignored segments .* --sclite"):
        read_decode(hyp, stm)
