"""The tables at the end of the recipe."""

import importlib.util
import json
import os
from pathlib import Path

PATH = Path(__file__).resolve().parents[2] / "recipes" / "librispeech" / "report.py"
spec = importlib.util.spec_from_file_location("librispeech_report", PATH)
report = importlib.util.module_from_spec(spec)
spec.loader.exec_module(report)


def test_stages_are_listed_as_they_ended(tmp_path):
    facts = {
        "viterbi": {"updates": 350, "seconds": 90, "peak_memory_gb": 0.9, "wer": 4.5},
        "align": {"seconds": 6, "peak_memory_gb": 0.5, "utterances": 9},
        "lm": {"updates": 7, "seconds": 30, "peak_memory_gb": 1, "perplexity": 8},
    }
    for time, (name, values) in enumerate(facts.items()):
        path = tmp_path / name / "done"
        path.parent.mkdir()
        path.write_text(json.dumps(values))
        os.utime(path, (time, time))
    lines = report.render(report.stages(tmp_path)).splitlines()
    assert [line.split() for line in lines[2:]] == [
        ["viterbi", "350", "1.5", "0.90", "GB", "wer", "4.50"],
        ["align", "0.1", "0.50", "GB"],
        ["lm", "7", "0.5", "1.00", "GB", "perplexity", "8.00"],
    ]
    assert len({line.index("GB") for line in lines[2:]}) == 1
