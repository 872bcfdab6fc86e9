"""The checkout as the tools see it: its folders, its settings and its lessons."""

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from course_lib.errors import unknown

from .errors import CourseError

LESSON_NAME = re.compile(r"(\d\d)_[a-z0-9_]+")


@dataclass(frozen=True)
class Lesson:
    """One lesson and the files that belong to it."""

    name: str  # such as "03_lenet5"
    root: Path

    @property
    def number(self) -> int:
        return int(self.name[:2])

    @property
    def source(self) -> Path:
        return self.root / "solutions" / f"{self.name}.py"

    @property
    def solution(self) -> Path:
        return self.root / "solutions" / f"{self.name}.ipynb"

    @property
    def notebook(self) -> Path:
        return self.root / "notebooks" / f"{self.name}.ipynb"

    @cached_property
    def title(self) -> str:
        """Title without its number, from the source's first heading `# # 3 · LeNet-5`."""
        text = self.source.read_text(encoding="utf-8")
        found = re.search(r"^# # (\d+) · (.+)$", text, flags=re.MULTILINE)
        if not found or int(found[1]) != self.number:
            raise CourseError(
                f"{self.source.name}: the first markdown cell must begin with '# {self.number} · Title' "
                "(in the source: '# # N · Title')."
            )
        return found[2].strip()


@dataclass(frozen=True)
class Project:
    """A checkout of the kit."""

    root: Path = Path(__file__).resolve().parents[1]

    @cached_property
    def settings(self) -> dict:
        """`[tool.course]` of pyproject.toml."""
        with open(self.root / "pyproject.toml", "rb") as file:
            return tomllib.load(file).get("tool", {}).get("course", {})

    @property
    def build(self) -> Path:
        """Folder for everything that can be thrown away."""
        return self.root / "build"

    @property
    def measured(self) -> Path:
        return self.root / "data" / "measured"

    @cached_property
    def lessons(self) -> list[Lesson]:
        """All lessons, in order."""
        found = sorted(p.stem for p in (self.root / "solutions").glob("[0-9][0-9]_*.py"))
        for name in found:
            if not LESSON_NAME.fullmatch(name):
                raise CourseError(
                    f"solutions/{name}.py: name a lesson NN_name, in lower case, like 03_lenet5."
                )
        return [Lesson(name, self.root) for name in found]

    def find(self, names: Iterable[str] = ()) -> list[Lesson]:
        """The lessons of these names ("03", "3" or "03_lenet5"); all of them when no name is given."""
        by_name = {lesson.name: lesson for lesson in self.lessons}
        short = {f"{lesson.number:02d}": lesson for lesson in self.lessons}
        chosen = []
        for name in names:
            stem = Path(name).stem
            lesson = by_name.get(stem) or short.get(stem.zfill(2))
            if lesson is None:
                raise CourseError(str(unknown("lesson", name, by_name)))
            chosen.append(lesson)
        return sorted(set(chosen), key=lambda lesson: lesson.name) or self.lessons
