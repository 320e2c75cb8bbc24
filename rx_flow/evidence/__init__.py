"""
Evidence: what a stranger needs to judge a prescription years later, in one file, and the judging of it offline.

Nothing here knows a database or a site; it reads bytes, and asks the law and the crypto alone.
"""
