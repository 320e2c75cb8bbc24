"""
Who is asking: staff sessions and PINs, tokens between institutions, the way to other institutions, and how a no looks.
"""
