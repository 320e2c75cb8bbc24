"""
Batteries made by others, run against our own functions; every case of them is accounted for.
"""
