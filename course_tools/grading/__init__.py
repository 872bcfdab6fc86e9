"""`course grade`: from a folder of submissions to marks and feedback, whatever students hand in.

collect -> notebook -> repair -> answers -> results -> gradebook, table, feedback, summary; `batch` and
`run` join them.
Under `answers`: servers -> kernels, watch, sandbox, limits, and what runs inside the sandbox, `inside`.
"""
