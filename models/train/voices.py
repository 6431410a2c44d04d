"""The espeak-ng voices the recogniser learns, and those kept away from it.

A voice is a language of `lang/gmw` with a variant of `voices/!v`, e.g. `en-us+m3`.
"""

from dataclasses import dataclass
from random import Random

LANGUAGES = (
    "en-us",
    "en",  # British; espeak-ng does not take its alias en-gb as a name
    "en-gb-scotland",
    "en-gb-x-rp",
    "en-gb-x-gbclan",
    "en-gb-x-gbcwmd",
    "en-029",
    "en-us-nyc",
)
HELD_OUT_VARIANTS = ("f4", "m6")
COMMON_VARIANTS = ("", "m1", "m2", "m3", "m4", "m5", "m7", "m8", "f1", "f2", "f3", "f5")
OTHER_VARIANTS = (
    "Alex Alicia Andrea Andy Annie Denis Diogo Gene Gene2 Henrique Hugo Jacky Lee Marco Mario "
    "Michael Mike Nguyen Reed RicishayMax RicishayMax2 RicishayMax3 Storm Tweaky adam "
    "anika announcer antonio aunty belinda benjamin boris caleb croak david ed edward edward2 "
    "gustave grandma grandpa ian iven iven2 iven3 iven4 john kaukovalta klatt klatt2 klatt3 "
    "klatt4 klatt5 klatt6 linda marcelo max michel miguel mike2 norbert pablo paul pedro quincy "
    "rob robert sandro shelby steph steph2 steph3 travis victor zac"
).split()
# Left out as no likeness of a telephone voice: whisper, whisperf (no pitch), Demonic,
# AnxiousAndy, UniRobot, anikaRobot and robosoft to robosoft8 (effects), fast (a rate).
# "Mr serious" has a space in its name, which the voice selector does not take.


@dataclass(frozen=True, slots=True)
class Voice:
    """How one sentence is spoken."""

    name: str
    words_per_minute: int
    """80-450 in espeak-ng; people speak at 150-190."""
    pitch: int
    """0-99, 50 is the variant's own pitch."""
    pitch_range: int = 50
    """0-99, 0 is monotone."""


def voice_name(language: str, variant: str) -> str:
    """Return espeak-ng's name of a language spoken in a variant ("" is the plain voice)."""
    return f"{language}+{variant}" if variant else language


def draw_voice(random: Random, common_share: float = 0.65) -> Voice:
    """Draw a voice that training knows; a share of them en-us or en-gb in a common variant."""
    if random.random() < common_share:
        return draw_common_voice(random)
    variant = random.choice(COMMON_VARIANTS + tuple(OTHER_VARIANTS))
    return _with_manner(voice_name(random.choice(LANGUAGES), variant), random)


def draw_common_voice(random: Random) -> Voice:
    """Draw an American or British voice in a variant that simulated callees use."""
    language = random.choice(("en-us", "en-us", "en"))
    return _with_manner(voice_name(language, random.choice(COMMON_VARIANTS)), random)


def draw_held_out_voice(random: Random) -> Voice:
    """Draw a voice in a variant that no training sentence is spoken in."""
    language = random.choice(("en-us", "en"))
    return _with_manner(voice_name(language, random.choice(HELD_OUT_VARIANTS)), random)


def _with_manner(name: str, random: Random) -> Voice:
    low, high = (150, 190) if random.random() < 0.7 else (130, 220)
    return Voice(name, random.randint(low, high), random.randint(25, 75), random.randint(30, 70))
