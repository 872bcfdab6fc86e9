"""What one submission may use."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What one submission may use."""

    cell_seconds: float = 60
    total_seconds: float = 600
    memory: float = 2.5e9  # bytes, all processes together, with the libraries
    processes: int = 40
    output: float = 5e6  # bytes of one cell
    file: float = 50e6  # bytes of one file, and half of what the folder may hold
