"""
Certificates and whether they still count: what they say, on whose word, what was revoked, and who issues them.
"""
