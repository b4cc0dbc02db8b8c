"""Who asks: the token that tidemill's settings name, in azureml's words."""

from __future__ import annotations

from typing import Any

from tidemill._config import Config
from tidemill.azureml.exceptions import not_supported

__all__ = [
    "AbstractAuthentication",
    "AzureCliAuthentication",
    "InteractiveLoginAuthentication",
    "MsiAuthentication",
    "ServicePrincipalAuthentication",
    "TokenAuthentication",
]


class AbstractAuthentication:
    """Whoever tidemill's settings say: `tidemill login`, `$TIDEMILL_TOKEN` or `$TIDEMILL_TOKEN_FILE`."""

    def get_authentication_header(self) -> dict[str, str]:
        """The header that requests to the coordinator carry; empty where no token is needed."""
        token = Config.resolve().token
        return {"Authorization": f"Bearer {token}"} if token else {}

    def get_token(self, *_: Any, **__: Any) -> Any:
        """Not here: no token of Azure's is had."""
        raise not_supported("get_token", "no token of Azure's is had here", "get_authentication_header()")


class InteractiveLoginAuthentication(AbstractAuthentication):
    """Whoever tidemill's settings say; nobody is asked."""

    def __init__(self, force: bool = False, tenant_id: str | None = None, cloud: str | None = None) -> None:
        self.tenant_id = tenant_id


class ServicePrincipalAuthentication(AbstractAuthentication):
    """Whoever tidemill's settings say. The principal's password is dropped."""

    def __init__(
        self,
        tenant_id: str,
        service_principal_id: str,
        service_principal_password: str,
        cloud: str = "AzureCloud",
    ) -> None:
        self.tenant_id = tenant_id
        self.service_principal_id = service_principal_id


class AzureCliAuthentication(AbstractAuthentication):
    """Whoever tidemill's settings say."""

    def __init__(self, cloud: str | None = None) -> None:
        self.cloud = cloud


class MsiAuthentication(AbstractAuthentication):
    """Whoever tidemill's settings say."""

    def __init__(self, cloud: str | None = None) -> None:
        self.cloud = cloud


class TokenAuthentication(AbstractAuthentication):
    """Not here: tokens are tidemill's."""

    def __init__(self, get_token_for_audience: Any, cloud: str = "AzureCloud") -> None:
        raise not_supported("TokenAuthentication", "tokens are tidemill's", "`tidemill login`")
