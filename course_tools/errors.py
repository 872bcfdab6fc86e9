"""The one error that a person running `course` is meant to see."""


class CourseError(Exception):
    """Something that the author or grader can mend; the message says how.

    The command line prints it without a traceback and exits with code 2.
    """
