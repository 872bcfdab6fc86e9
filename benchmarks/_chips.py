"""What share of a chip's peak a network reaches."""

# Dense bfloat16 TFLOPS in the makers' data sheets (not verified here; gpu.py's --peak replaces them).
PEAKS = {"H200": 989, "H100": 989, "A100": 312, "L4": 121}
SLOWER = {"PCIe", "NVL"}  # cards with these words in their names have less than the server's chip


def peak_of(device: str, given: float | None = None) -> float | None:
    """TFLOPS of the chip in bfloat16, or None where unknown.

    >>> peak_of("NVIDIA H200"), peak_of("NVIDIA A100-SXM4-80GB"), peak_of("cpu"), peak_of("cpu", given=2.5)
    (989, 312, None, 2.5)
    >>> peak_of("NVIDIA H100 PCIe"), peak_of("NVIDIA H200 NVL")  # name their peaks with --peak
    (None, None)
    >>> peak_of("NVIDIA A100-PCIE-40GB")  # as fast as the other A100s
    312
    """
    words = device.replace("-", " ").split()
    if given or SLOWER & set(words):
        return given
    return next((peak for name, peak in PEAKS.items() if name in words), None)


def fraction(images_per_second: float, macs: int, training: bool, peak: float | None) -> str:
    """Share of the peak: 2 operations a MAC, three times as many in training (forward, and two backward).

    >>> fraction(1000, macs=4 * 10**9, training=True, peak=240), fraction(1000, 4 * 10**9, False, None)
    ('10.0 %', 'unknown peak')
    """
    if peak is None:
        return "unknown peak"
    return f"{images_per_second * macs * 2 * (3 if training else 1) / (peak * 1e12):.1%}".replace("%", " %")
