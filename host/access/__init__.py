"""Who calls, and what they may do: the front is `AccessService`."""

from host.access.audit import Audit
from host.access.governance import Governance
from host.access.permissions import PermissionService, canonical_permission
from host.access.service import AccessService

__all__ = ["AccessService", "Audit", "Governance", "PermissionService", "canonical_permission"]
