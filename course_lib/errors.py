"""Error texts that say what was received, what is allowed and how to mend it."""

from collections.abc import Iterable
from difflib import get_close_matches


def unknown(kind: str, received: object, allowed: Iterable[object]) -> ValueError:
    """The error for a name that is not in a list, with the closest name when one is close.

    >>> str(unknown("data set", "digit", ["digits", "shapes"]))
    "Unknown data set: 'digit'. Did you mean 'digits'? Allowed: 'digits', 'shapes'."
    """
    allowed = list(allowed)
    close = get_close_matches(str(received), [name for name in allowed if isinstance(name, str)], n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return ValueError(f"Unknown {kind}: {received!r}.{hint} Allowed: {', '.join(map(repr, allowed))}.")
