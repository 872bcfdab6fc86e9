"""What runs inside the sandbox: the fork server, and the guard of a forked kernel.

These modules are also read by the server as plain files, so they import nothing of `course_tools`.
"""
