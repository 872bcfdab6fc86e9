"""What authors and graders run: the `course` command. `course_lib` knows nothing of it."""

import os
import sysconfig

# nbgrader calls `alembic` by name: this environment's own, also when the environment is not activated.
os.environ["PATH"] = os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", "")])
