"""The calls that espeak-ng speaks: the demo corpus' sentences, on the telephone."""

from asrkit.data.synthesis.plan import Share, Spec
from asrkit.data.synthesis.specs import DEMO
from asrkit.data.synthesis.telephone.calls import DialogueSpec

DIALOGUES = DialogueSpec(
    spoken=Spec(
        version="dialogues 1",
        utterances={"train": 1000, "dev": 60, "test_swbd": 80, "test_callhome": 80},
        sentences=DEMO.sentences,
        accents=DEMO.accents,
        female=DEMO.female,
        male=DEMO.male,
        shares={
            "test_swbd": Share(female=2, male=2, voices=4),
            "test_callhome": Share(female=2, male=2, voices=4),
            "dev": Share(female=2, male=6, voices=8),
            "train": Share(female=5, male=19, voices=40),
        },
        rate=DEMO.rate,
        pitch=DEMO.pitch,
        pitch_range=DEMO.pitch_range,
        snr=(22, 35),
        noises=("pink", "white"),
    ),
    # The reader keeps the last conversations, by their numbers, for dev.
    names={
        "train": ("sw", 2001),
        "dev": ("sw", 4001),
        "test_swbd": ("sw_", 4390),
        "test_callhome": ("en_", 4156),
    },
    louder_noise={"test_callhome": 6.0},
    marks={
        "laughed": 0.02,
        "variant": 0.02,
        "misread": 0.01,
        "hesitation": 0.12,
        "fragment": 0.03,
        "aside": 0.02,
        "doubt": 0.01,
        "noise": 0.1,
    },
    pause=(-0.3, 0.7),
)
"""49 words in 28 calls of two voices; a part's voices and sentences are its own."""
