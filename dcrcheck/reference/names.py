"""What a self-registered client may call itself (what users will read on the consent page)."""

from __future__ import annotations

import re
import unicodedata

from dcrcheck.reference.answers import Answers

# Drawn as nothing, though their category is not one of the invisible ones
_BLANK = set("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0")
_VARIATION_SELECTORS = range(0xE0100, 0xE01F0)
_BIDIRECTIONAL = "[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"
_INVISIBLE_CATEGORIES = ("Cf", "Cs", "Co", "Zl", "Zp")

# Letters of other scripts (and digits) that look like a Latin letter, after case folding (UTS 39)
_LOOKS_LIKE = str.maketrans({
    **dict(zip("авсԁеһіјкӏмнорѕтухѵԝѡԛәґгпзбч", "abcdehijklmhopstyxvwwqergn36y", strict=True)),
    **dict(zip("αβγεηικνορστυχωμ", "abyenikvopotuxwu", strict=True)),
    **dict(zip("օսհոզցյ", "ouhnqgj", strict=True)),
    **dict(zip("ɑɡıɩłøđħʀɴʟʙɢʜɪᴀᴄᴅᴇᴊᴋᴍᴏᴘᴛᴜᴠᴡᴢꜱʏ", "agiilodhrnlbghiacdejkmoptuvwzsy", strict=True)),
    **dict(zip("01345789@$|", "oieastbgasi", strict=True)),
    "l": "i",
})


class Names(Answers):
    """Structural rules on client_name and its language-tagged variants."""

    def check_name(self, name: str) -> None:
        if not self.is_name_length(name):
            self.refuse_metadata("client_name is too long")
        if not self.is_free_of_name_controls(name):
            self.refuse_metadata("client_name holds a control character")
        if not self.is_free_of_bidirectional_controls(name):
            self.refuse_metadata("client_name holds a bidirectional control character")
        if not self.is_free_of_invisible_characters(name):
            self.refuse_metadata("client_name holds an invisible character")
        if not name.strip():
            self.refuse_metadata("client_name is blank")
        if self.is_reserved_name(name):
            self.refuse_metadata("client_name is reserved")

    def is_name_length(self, name: str) -> bool:
        return len(name) <= self.rules.name_length

    def is_free_of_name_controls(self, name: str) -> bool:
        return not any(unicodedata.category(character) == "Cc" for character in name)

    def is_free_of_bidirectional_controls(self, name: str) -> bool:
        return not re.search(_BIDIRECTIONAL, name)

    def is_free_of_invisible_characters(self, name: str) -> bool:
        visible = re.sub(_BIDIRECTIONAL, "", name)
        return not any(unicodedata.category(character) in _INVISIBLE_CATEGORIES or character in _BLANK
                       or ord(character) in _VARIATION_SELECTORS for character in visible)

    def is_reserved_name(self, name: str) -> bool:
        return any(self.skeleton(name) == self.skeleton(reserved) for reserved in self.rules.reserved_names)

    def skeleton(self, name: str) -> str:
        """What is left of a name when everything is taken away that a hasty reader does not see."""
        folded = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", name).casefold())
        letters = unicodedata.normalize("NFKC", folded.translate(_LOOKS_LIKE)).translate(_LOOKS_LIKE)
        return "".join(character for character in letters if character.isalnum()).replace("rn", "m")
