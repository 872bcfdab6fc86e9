"""Where the kit's own data lies, and where downloaded data is kept."""

import os
import sys
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def _checkout() -> Path | None:
    """The checkout's root; None for an installed wheel and for the unpacked student zip."""
    root = _PACKAGE.parent
    return root if (root / "data" / "README.md").is_file() else None


def data_path(*parts: str) -> Path:
    """Path of a file or folder of the kit's own data, such as `data_path("published.csv")`.

    In a checkout the data lies in `data/` next to the package; a wheel carries it as `course_lib/data`.

    >>> data_path("README.md").name
    'README.md'
    """
    root = _checkout()
    return (root or _PACKAGE).joinpath("data", *parts)


def cache_path() -> Path:
    """Folder of downloads: `$COURSE_DATA`, else the checkout's `data/cache`, else the user's cache folder."""
    if chosen := os.environ.get("COURSE_DATA"):
        return Path(chosen).expanduser()
    if root := _checkout():
        return root / "data" / "cache"
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    return base / "convnet-course"
