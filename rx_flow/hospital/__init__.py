"""
The hospital (医院): where a prescription is written, reviewed for the first time, released, and revoked.
"""
