"""The corpora that espeak-ng speaks: an easy one, a harder one, and one in Mandarin."""

from functools import partial

from asrkit.data.synthesis.english import hard_sentences, sentences
from asrkit.data.synthesis.grammar import draw_sentences
from asrkit.data.synthesis.layout import AISHELL
from asrkit.data.synthesis.mandarin.sentences import draw_mandarin
from asrkit.data.synthesis.plan import BABBLE, Share, Spec
from asrkit.data.synthesis.room import Rooms

# The variants that sound like a person: no whispers, no creaking, no robots, none that
# rush, and one of those that differ in little else than their name.
_FEMALE = "Annie aunty belinda f1 f2 f3 f4 f5 grandma linda steph"
_MALE = (
    "Alex Denis Diogo Gene Hugo Mario Mike Nguyen ed iven3 john m1 m2 m3 m4 m5 m6 m7 "
    "m8 max michel miguel pablo paul quincy rob robert sandro victor"
)

DEMO = Spec(
    version=3,
    utterances={"train": 1000, "dev": 60, "test": 100},
    sentences=partial(draw_sentences, sentences.GRAMMAR),
    accents=("en-US", "en"),  # "en" is British
    female=_FEMALE,
    male=_MALE,
    shares={
        # Test first: it stays the same when there is more to train on.
        "test": Share(female=3, male=5, voices=8),
        "dev": Share(female=2, male=6, voices=8),
        "train": Share(female=6, male=18, voices=40),
    },
    rate=(140, 190),
    pitch=(35, 65),
    pitch_range=(30, 70),
    snr=(25, 40),
    noises=("pink", "white"),
)
"""49 words, spoken clearly: ten minutes on two cores learn them, voices and all."""

DEMO_HARD = Spec(
    version="hard 1",
    utterances={"train": 1100, "dev": 100, "test": 200},
    sentences=partial(draw_sentences, hard_sentences.GRAMMAR),
    accents=(
        "en-US",
        "en",
        "en-GB-scotland",
        "en-US-nyc",
        "en-GB-x-rp",
        "en-029",  # the Caribbean
        "en-GB-x-gbclan",  # Lancaster
        "en-GB-x-gbcwmd",  # the West Midlands
    ),
    # Some more, whose spectra differ by 1 dB or more from those of all others.
    female=f"{_FEMALE} Andrea anika shelby steph2",
    male=f"{_MALE} Michael Tweaky adam benjamin boris david edward grandpa gustave ian "
    "kaukovalta klatt4 marcelo mike2 norbert pedro",
    shares={
        "test": Share(female=3, male=9, voices=24),
        "dev": Share(female=3, male=7, voices=20),
        "train": Share(female=9, male=28, voices=111),
    },
    rate=(160, 280),
    pitch=(30, 70),
    pitch_range=(20, 80),
    snr=(5, 25),
    noises=("white", "pink", "hum", BABBLE),
    rooms=Rooms(decay=(0.1, 0.5), direct=(3, 15)),
)
"""3,000 words, of which the test set has many that training has not; more voices, who
speak up to 1.6 times as fast, in rooms and in noise. Ten minutes do not suffice."""

MANDARIN = Spec(
    version="mandarin 1",
    utterances={"train": 2700, "dev": 100, "test": 200},
    sentences=draw_mandarin,
    accents=("cmn",),
    female=_FEMALE,
    male=_MALE,
    shares={
        "test": Share(female=3, male=5, voices=8),
        "dev": Share(female=2, male=6, voices=8),
        "train": Share(female=6, male=18, voices=24),
    },
    rate=(260, 330),
    pitch=(35, 65),
    pitch_range=(30, 70),
    snr=(25, 40),
    noises=("pink", "white"),
    layout=AISHELL,
)
"""Mandarin of 3,000 characters, most of them in names that are rare; laid out as
AISHELL-1 is."""
