"""
The durable memory of a site: one transaction for state, document and audit entry; the outbox; the audit log.
"""
