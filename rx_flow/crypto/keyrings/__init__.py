"""
Private keys and symmetric secrets: what they may do, where they are kept (locked files, or a token), how they change.
"""
