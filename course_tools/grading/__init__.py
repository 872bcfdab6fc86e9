"""`course grade`: from a folder of submissions to marks and feedback, whatever students hand in.

collect -> notebook -> repair -> answers -> results -> gradebook, table, feedback, summary; `run` joins them.
Under `answers`: servers -> kernels, watch, sandbox, limits, and what runs inside the sandbox, `inside`.
"""
