"""
The benefit (待遇): dated policy and the reckoning by it. Pure: no database, no clock, no network.
"""
