"""A few conversations, laid out as the LDC's discs are."""

import numpy as np
import soundfile

RATE = 8000
STM = """\
;; CATEGORY "0" "" ""
;; LABEL "O" "Overall" "Overall"
;; CATEGORY "1" "corpus" "Corpus"
;; LABEL "SWB" "Switchboard" "Switchboard"
;; LABEL "CH" "CallHome" "CallHome"
en_4156 A en_4156_A 0.10 1.00 <O,CH> ((oh) { i'd / i would } like t. v. <B_ASIDE> (%hesitation) <E_ASIDE>
en_4156 A en_4156_A 1.00 1.50 <O,CH> IGNORE_TIME_SEGMENT_IN_SCORING
en_4156 B en_4156_B 1.00 2.00 <O,CH> yes
sw_4390 B sw_4390_B 0.50 1.25 <O,SWB> uh-huh tea[cher]- { @ / so }
"""  # noqa: E501
GLM = ";; rules\n* format = 'NIST1'\nUH => %HESITATION / [ ] __ [ ]\n"
FISHER = """\
# fe_03_00001.sph
# Transcribed by BBN/WordWave

0.00 1.90 A: hello [laughter] t._v.
1.90 2.10 B: ((hi)) there
2.10 2.50 A: [noise]
"""


def sphere(path, *, seconds=3.0, channels=2):
    """Write a SPHERE file; channel k is a tone of 500 (k + 1) Hz."""
    path.parent.mkdir(parents=True, exist_ok=True)
    time = np.arange(round(seconds * RATE)) / RATE
    tones = [0.2 * np.sin(1000 * np.pi * (k + 1) * time) for k in range(channels)]
    soundfile.write(path, np.stack(tones, 1), RATE, format="NIST", subtype="ULAW")
    return path


def transcript(folder, number, side, *texts):
    """Write a side's transcript, a segment a second."""
    path = folder / f"swb_ms98_transcriptions/{number[:2]}/{number}"
    path.mkdir(parents=True, exist_ok=True)
    path /= f"sw{number}{side}-ms98-a-trans.text"
    lines = (
        f"sw{number}{side}-ms98-a-{n:04d} {n - 1}.000000 {n}.000000 {text}\n"
        for n, text in enumerate(texts, start=1)
    )
    path.write_text("".join(lines))
    return path


def make_tree(folder, *, conversations=6):
    """Write Switchboard, Hub5'00 and Fisher; return the folder."""
    for index in range(conversations):
        number = str(2001 + index)
        sphere(folder / f"LDC97S62/swb1_d1/data/sw0{number}.sph")
        transcript(
            folder, number, "A", "[silence]", "okay um-hum", "[laughter-yes] [noise]"
        )
        transcript(folder, number, "B", "hello", "[silence]", "tea[cher]- ((so))")
    for call in ("en_4156", "sw_4390"):
        sphere(folder / f"LDC2002S09/hub5e_00/english/{call}.sph")
    reference = folder / "LDC2002T43/reference"
    reference.mkdir(parents=True)
    (reference / "hub5e00.english.000405.stm").write_text(STM)
    (reference / "en20000405_hub5.glm").write_text(GLM)
    fisher = folder / "LDC2004T19/fe_03_p1_tran/data/trans/000"
    fisher.mkdir(parents=True)
    (fisher / "fe_03_00001.txt").write_text(FISHER)
    return folder
