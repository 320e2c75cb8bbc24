"""
When the platform had recorded the documents of a claimed copy: what counts where a signer's certificate was revoked.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "pharmacy_0002"
down_revision = "pharmacy_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("pharmacy_holding", sa.Column("recorded", sa.Text()))


def downgrade() -> None:
    op.drop_column("pharmacy_holding", "recorded")
