"""Text, JSON and CTM."""

import json

from asrkit.decoding.transcripts.formats import FORMATS, to_ctm, to_json, to_text
from asrkit.decoding.transcripts.transcript import Alternative, Piece, Transcript
from asrkit.decoding.transcripts.words import Word

WORDS = [Word("SÜSS", 0.0400001, 0.1, 0.75), Word('"B"', 0.1, 1 / 3, 1.0)]
ONE = Transcript(id="b", audio="x/b.wav", duration=1.0, text='SÜSS "B"', words=WORDS)
EMPTY = Transcript(id="a\t1", duration=0.5, text="", words=[])


def test_text_names_the_file_or_the_utterance():
    assert to_text([ONE, EMPTY]) == 'x/b.wav\tSÜSS "B"\na\t1\t\n'


def test_ctm_is_sorted_and_its_durations_end_where_words_end():
    assert to_ctm([ONE, EMPTY]).splitlines() == [
        ";; a_1: no words",
        "b 1 0.040 0.060 SÜSS 0.750",
        'b 1 0.100 0.233 "B" 1.000',
    ]


def test_json_is_read_back():
    first, second = json.loads(to_json([ONE, EMPTY]))
    assert first == {
        "id": "b",
        "audio": "x/b.wav",
        "duration": 1.0,
        "text": 'SÜSS "B"',
        "words": [
            {"word": "SÜSS", "start": 0.04, "end": 0.1, "confidence": 0.75},
            {"word": '"B"', "start": 0.1, "end": 0.333333, "confidence": 1.0},
        ],
    }
    assert second["audio"] is None
    assert second["words"] == []
    assert json.loads(to_json([])) == []


def test_json_has_the_nbest_lists_that_there_are():
    nbest = [Alternative("A", -1.5), Alternative("B", -2.0)]
    pieces = [Piece(0.0, 1.0, nbest)]
    one = Transcript(id="b", duration=1.0, text="A", words=[], pieces=pieces)
    assert json.loads(to_json([one]))[0]["pieces"] == [
        {
            "start": 0.0,
            "end": 1.0,
            "nbest": [{"text": "A", "score": -1.5}, {"text": "B", "score": -2.0}],
        }
    ]


def test_every_format_writes_a_recording_with_and_without_words():
    for name, chosen in FORMATS.items():
        text = chosen.write([ONE])
        assert "SÜSS" in text, name
        assert "SÜSS" not in chosen.write([EMPTY]), name
