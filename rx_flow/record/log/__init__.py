"""
The verifiable log (C2SP tlog-tiles) over the audit entries: one for each pooling area, and one of their checkpoints.
"""
