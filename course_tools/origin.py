"""What a measured value was made with, as the last columns of its row: versions, machine and date."""

import platform
from datetime import date


def origin() -> dict[str, str]:
    """The columns "versions", "machine" and "date" of a row that is measured now."""
    from course_lib.session import report

    machine = report()
    packages = [f"{package} {version}" for package, version in machine.packages.items()]
    return {
        "versions": ", ".join([f"Python {platform.python_version()}", *packages]),
        "machine": machine.gpus[0] if machine.gpus else f"{machine.platform}, {machine.cores} CPU cores",
        "date": date.today().isoformat(),
    }
