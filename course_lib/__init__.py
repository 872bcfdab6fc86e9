"""The library of the course: data, architectures, accounting, pictures and checks for the lessons.

Importing it is instant: Keras loads when a submodule that needs it is imported.
"""

from .paths import data_path
from .session import pick, report, seed, start

__version__ = "0.1.0"
__all__ = ["__version__", "data_path", "pick", "report", "seed", "start"]
