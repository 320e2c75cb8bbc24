"""
The prescription sheet (处方笺): its text from a verified dossier, its page, the hospital's seal on it, and their check.
"""
