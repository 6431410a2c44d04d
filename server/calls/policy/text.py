"""Text as a pattern should see it: one spelling for what looks or reads alike.

Stands before `screening`. Meant for matching only; what is spoken is the text as given.
"""

import re
import unicodedata

ALIKE = {
    "a": "аαɑᴀ", "b": "вβʙ", "c": "сϲᴄ", "d": "дԁᴅ", "e": "еεᴇ", "f": "ꜰ", "g": "ɡɢց",
    "h": "һнʜ", "i": "іӏιıɩɪ", "j": "јᴊ", "k": "кκᴋ", "l": "łʟ", "m": "мᴍ", "n": "пηɴո",
    "o": "оοøᴏօ", "p": "рρᴘ", "q": "ԛ", "r": "гʀ", "s": "ѕꜱ", "t": "тτᴛ", "u": "υᴜս",
    "v": "ѵνᴠ", "w": "ԝωᴡ", "x": "хχ", "y": "уγʏ", "z": "ᴢ",
    "'": "‘’‚‛ʼ`", '"': "“”„‟", "-": "‐‑‒–—―−",
}  # fmt: skip
"""Letters of other scripts that pass for Latin ones, and typographers' quotes and dashes."""
LOOKALIKES = {ord(other): latin for latin, others in ALIKE.items() for other in others}
LEET = str.maketrans("013457@$!|l", "oieastasiii")
TAGS = range(0xE0020, 0xE007F)
"""Invisible copies of ASCII, with which a hidden text can be written."""
FILLERS = frozenset("\u115f\u1160\u3164\uffa0\u2800")
"""Blank, though Unicode counts them among letters and symbols."""
BREAKS = re.compile(r"\r\n?|[\v\f\x1c-\x1e\x85\u2028\u2029]")
BLANKS = re.compile(r"[^\S\n]+")


def plain(text: str) -> str:
    """Return the text in lower case and Latin letters, without marks and invisible characters.

    Line breaks become newlines, other white space one space.
    """
    spelled_out = "".join(chr(ord(one) - 0xE0000) if ord(one) in TAGS else one for one in text)
    apart = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", spelled_out))
    seen = "".join(one for one in BREAKS.sub("\n", apart) if not _invisible(one))
    lowered = unicodedata.normalize("NFKD", seen.casefold()).translate(LOOKALIKES)
    return BLANKS.sub(" ", lowered)


def squeezed(plain_text: str) -> str:
    """Return only the letters of a plain text, digits that stand for letters read as such.

    Undoes `i g n o r e`, `1gn0re` and `ig.nore`; `l` and `1` become `i`.
    """
    return re.sub(r"[^a-z]", "", plain_text.translate(LEET))


def _invisible(character: str) -> bool:
    if character in FILLERS:
        return True
    category = unicodedata.category(character)
    return category in ("Cf", "Mn", "Me") or (category == "Cc" and character not in "\n\t")
