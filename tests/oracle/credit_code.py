"""The unified social credit code (domain.md 9): both check characters, kind and registration division."""

ALPHABET_31 = "0123456789ABCDEFGHJKLMNPQRTUWXY"
ALPHABET_36 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
WEIGHTS_17 = (3, 7, 9, 10, 5, 8, 4, 2)


def check_17(eight):
    """Check character of the eight characters of an organisation code."""
    total = sum(ALPHABET_36.index(c) * w for c, w in zip(eight, WEIGHTS_17))
    rest = 11 - total % 11
    return {10: "X", 11: "0"}.get(rest, str(rest))


def check_18(seventeen):
    """Check character of the first seventeen characters."""
    total = sum(ALPHABET_31.index(c) * pow(3, i, 31) for i, c in enumerate(seventeen))
    return ALPHABET_31[(31 - total % 31) % 31]


def complete(sixteen):
    """A whole code from its first sixteen characters."""
    seventeen = sixteen + check_17(sixteen[8:])
    return seventeen + check_18(seventeen)


def normalise(text):
    """Full-width to half-width, upper case, without spaces and hyphens."""
    out = ""
    for c in text:
        if "\uff01" <= c <= "\uff5e":
            c = chr(ord(c) - 0xFEE0)
        if not c.isspace() and c != "-":
            out += c.upper()
    return out


def valid(text):
    """The normalised code if V01 to V03 hold, else None."""
    if not text:
        return None
    code = normalise(text)
    if len(code) != 18 or any(c not in ALPHABET_31 for c in code) or not code[2:8].isdigit():
        return None
    if check_18(code[:17]) != code[17] or check_17(code[8:16]) != code[16]:
        return None
    return code


def kind(code):
    """Kind by prefix."""
    if code[:2] in ("51", "52", "53", "12", "31"):
        return {"51": "social_group", "52": "private_non_enterprise", "53": "foundation",
                "12": "public_institution", "31": "law_firm"}[code[:2]]
    if code[:2] in ("91", "92", "93"):
        return "enterprise"
    if code[0] == "8":
        return "union"
    return "other"
