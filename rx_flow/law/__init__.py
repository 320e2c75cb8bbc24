"""
The law: what may happen to a prescription, and when. Pure; standard library only.
"""
