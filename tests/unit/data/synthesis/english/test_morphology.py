"""Forms of words, by those that a dictionary has."""

import pytest

from asrkit.data.synthesis.english import morphology


@pytest.mark.parametrize(
    ("form", "pairs"),
    [
        ("plural", "BOX BOXES CHURCH CHURCHES BRUSH BRUSHES CHERRY CHERRIES KEY KEYS "
                   "NURSE NURSES CAT CATS GLASS GLASSES CARRY CARRIES ENJOY ENJOYS"),
        ("past", "STOP STOPPED CARRY CARRIED ENJOY ENJOYED SAVE SAVED AGREE AGREED "
                 "FIX FIXED OPEN OPENED HELP HELPED CRY CRIED LOAD LOADED"),
        ("participle", "STOP STOPPING CARRY CARRYING SAVE SAVING AGREE AGREEING "
                       "FIX FIXING STUDY STUDYING ORDER ORDERING DRAG DRAGGING"),
        ("comparative", "BIG BIGGER SAFE SAFER HAPPY HAPPIER SLOW SLOWER DEEP DEEPER"),
        ("superlative", "THIN THINNEST HUGE HUGEST LAZY LAZIEST QUIET QUIETEST"),
        ("adverb", "HAPPY HAPPILY TERRIBLE TERRIBLY CAREFUL CAREFULLY RUDE RUDELY "
                   "COMFORTABLE COMFORTABLY ORDINARY ORDINARILY"),
        ("quality", "HAPPY HAPPINESS DARK DARKNESS RUDE RUDENESS"),
    ],
)  # fmt: skip
def test_forms(form, pairs):
    words = pairs.split()
    made = [getattr(morphology, form)(stem) for stem in words[::2]]
    assert made == words[1::2]
