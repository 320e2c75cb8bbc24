"""
Signing, sealing and keys. The only package that imports a library of cryptography.
"""
